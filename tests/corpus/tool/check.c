/* SPDX-License-Identifier: Apache-2.0 */

/* Every engine accepts every object, and all agree on every packet. */

#include "tests/corpus/tool/corpus.h"

#include <errno.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>

#define MAX_ENGINES 4

struct session {
    const struct engine *engine;
    void *opened;
};

static void
print_packet(const char *what, const uint8_t *p, size_t n)
{
    printf("  %s: ", what);
    for (size_t i = 0; i < n; i++) {
        printf("%02x", p[i]);
    }
    printf(" (%zu bytes)\n", n);
}

/* A packet's results against each other and against what was expected. */
static int
check_packet(const struct session *s, int n_sessions, unsigned int number,
             const struct packet *p)
{
    static struct result first, r;
    int n_wrong = 0;

    for (int i = 0; i < n_sessions; i++) {
        const char *name = s[i].engine->name;

        memset(&r, 0, sizeof r);
        if (!s[i].engine->run(s[i].opened, p, &r)) {
            printf("  packet %u: the %s engine cannot run it\n", number,
                   name);
            n_wrong++;
            continue;
        }
        if (r.verdict != p->verdict) {
            printf("  packet %u: %s says %u, expected is %u\n", number, name,
                   r.verdict, p->verdict);
            n_wrong++;
        }
        if (p->has_out && (r.n_out != p->out.n
                           || memcmp(r.out, p->out.data, p->out.n))) {
            printf("  packet %u: not the output expected from %s\n", number,
                   name);
            print_packet("expected", p->out.data, p->out.n);
            print_packet("got     ", r.out, r.n_out);
            n_wrong++;
        } else if (i && (r.n_out != first.n_out
                         || memcmp(r.out, first.out, r.n_out))) {
            printf("  packet %u: outputs differ\n", number);
            print_packet(s[0].engine->name, first.out, first.n_out);
            print_packet(name, r.out, r.n_out);
            n_wrong++;
        }
        if (!i) {
            first = r;
        }
    }
    return n_wrong;
}

static int
check_maps(const struct session *s, int n_sessions,
           const struct cases *cases)
{
    int n_wrong = 0;
    uint64_t first;
    char name[32];

    for (unsigned int m = 0;
         s[0].engine->map(s[0].opened, m, name, &first); m++) {
        for (int i = 1; i < n_sessions; i++) {
            uint64_t sum;

            if (s[i].engine->map(s[i].opened, m, name, &sum) && sum != first
                && !cases_is_unstable(cases, name)) {
                printf("  map %s: %s and %s differ\n", name,
                       s[0].engine->name, s[i].engine->name);
                n_wrong++;
            }
        }
    }
    return n_wrong;
}

static int
check_object(const struct engine *const *engines, int n_engines,
             const char *path, const struct cases *cases)
{
    struct session s[MAX_ENGINES];
    char said[MAX_SENTENCE] = "";
    int n = 0, n_wrong = 0;

    for (int i = 0; i < n_engines; i++) {
        static struct report report;

        report.sentence[0] = '\0';
        s[n].engine = engines[i];
        s[n].opened = engines[i]->open(path, cases, &report);
        if (!s[n].opened) {
            if (strcmp(said, report.sentence)) {
                printf("  refused by %s: %s\n", engines[i]->name,
                       report.sentence);
                memcpy(said, report.sentence, sizeof said);
            }
            n_wrong++;
        } else if (!report.n_programs) {
            printf("  %s finds no XDP program\n", engines[i]->name);
            n_wrong++;
            engines[i]->close(s[n].opened);
        } else {
            n++;
        }
    }
    for (size_t i = 0; cases && i < cases->n_packets; i++) {
        n_wrong += check_packet(s, n, i + 1, &cases->packets[i]);
    }
    if (cases && n) {
        n_wrong += check_maps(s, n, cases);
    }
    while (n) {
        n--;
        s[n].engine->close(s[n].opened);
    }
    return n_wrong;
}

static bool
read_list_line(FILE *f, char name[256], char path[1024], char cases[1024])
{
    return fscanf(f, "%255s %1023s %1023s", name, path, cases) == 3;
}

int
check_objects(const char *list, bool with_kernel, bool all_engines)
{
    const struct engine *engines[MAX_ENGINES];
    int n_engines = 0, n_failed = 0;
    char name[256], path[1024], cases_path[1024];
    FILE *f = fopen(list, "r");

    if (!f) {
        fprintf(stderr, "%s: %s\n", list, strerror(errno));
        return 2;
    }
    if (with_kernel) {
        if (kernel_usable()) {
            engines[n_engines++] = &engine_kernel;
        } else {
            printf("skip kernel - it does not let this user load programs\n");
        }
    }
    if (all_engines) {
        engines[n_engines++] = &engine_checked;
        engines[n_engines++] = &engine_native;
    }
    engines[n_engines++] = &engine_fast;
    while (read_list_line(f, name, path, cases_path)) {
        bool has_cases = strcmp(cases_path, "-");
        struct cases *cases = has_cases ? cases_read(cases_path) : NULL;
        int n_wrong = has_cases && !cases
                      ? 1 : check_object(engines, n_engines, path, cases);

        if (n_wrong) {
            printf("not ok %s - %s\n", name, path);
            n_failed++;
        } else {
            printf("ok %s\n", name);
        }
        fflush(stdout);
        cases_free(cases);
    }
    fclose(f);
    return n_failed ? 1 : 0;
}
