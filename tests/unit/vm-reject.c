/* SPDX-License-Identifier: Apache-2.0 */
#include "tests/unit/vm-reject.h"

#include <dirent.h>
#include <errno.h>
#include <stdbool.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>

#include "tests/unit/vm-data.h"

/* What many programs begin or end with; "%s" is the word after the name. */
static const struct {
    const char *name, *text;
} phrases[] = {
    { "exit", "r0 = 0\nexit\n" },
    { "out", "out:\nr0 = 0\nexit\n" },
    { "packet", "r2 = *(u64 *)(r1 + 8)\nr3 = *(u64 *)(r1 + 16)\n" },
    { "header", "r2 = *(u64 *)(r1 + 8)\nr3 = *(u64 *)(r1 + 16)\n"
      "r4 = r2\nr4 += 14\nif r4 > r3 goto out\n" },
    { "lookup", "r6 = r1\n*(u32 *)(r10 - 4) = 0\nr2 = r10\nr2 += -4\n"
      "r1 = map %s\ncall map_lookup_elem\n" },
    { "value", "r6 = r1\n*(u32 *)(r10 - 4) = 0\nr2 = r10\nr2 += -4\n"
      "r1 = map %s\ncall map_lookup_elem\nif r0 == 0 goto out\n" },
    { "reserve", "r1 = map ring\nr2 = 16\nr3 = 0\ncall ringbuf_reserve\n" },
};

struct reader {
    char path[5000];
    const char *file;
    int line;
    struct vm_reject *cases;
    size_t n, allocated;
};

static void __attribute__((noreturn))
die(const struct reader *r, const char *why)
{
    fprintf(stderr, "%s:%d: %s\n", r->path, r->line, why);
    exit(2);
}

static void
append(struct vm_reject *c, const char *text)
{
    size_t n = c->text ? strlen(c->text) : 0;

    c->text = realloc(c->text, n + strlen(text) + 1);
    memcpy(c->text + n, text, strlen(text) + 1);
}

static void
append_phrase(struct reader *r, const char *line)
{
    char name[32] = "", word[32] = "", text[512];

    if (sscanf(line, "@%31s %31s", name, word) < 1) {
        die(r, "expected a phrase after '@'");
    }
    for (size_t i = 0; i < sizeof phrases / sizeof phrases[0]; i++) {
        if (!strcmp(phrases[i].name, name)) {
#pragma GCC diagnostic push
#pragma GCC diagnostic ignored "-Wformat-nonliteral"
#pragma GCC diagnostic ignored "-Wformat-security"
#pragma GCC diagnostic ignored "-Wformat-extra-args"
            snprintf(text, sizeof text, phrases[i].text, word);
#pragma GCC diagnostic pop
            append(&r->cases[r->n - 1], text);
            return;
        }
    }
    die(r, "there is no such phrase");
}

static void
new_case(struct reader *r, const char *name)
{
    if (r->n == r->allocated) {
        r->allocated = r->allocated ? r->allocated * 2 : 256;
        r->cases = realloc(r->cases, r->allocated * sizeof *r->cases);
    }
    r->cases[r->n] = (struct vm_reject) { .regno = -1 };
    if (asprintf(&r->cases[r->n++].name, "%s: %s", r->file, name) < 0) {
        abort();
    }
}

/* "insn 3 r2 RULE", "insn 3 RULE" or "says SENTENCE". */
static void
expectation(struct reader *r, const char *line)
{
    struct vm_reject *c = &r->cases[r->n - 1];
    char rule[64];

    if (!strncmp(line, "says ", 5)) {
        c->says = strdup(line + 5);
    } else if (sscanf(line, "insn %d r%d %63s", &c->insn, &c->regno, rule)
               == 3
               || sscanf(line, "insn %d %63s", &c->insn, rule) == 2) {
        c->rule = strdup(rule);
    } else {
        die(r, "expected 'insn NUMBER [REGISTER] RULE' or 'says SENTENCE'");
    }
}

static void
read_line(struct reader *r, char *line)
{
    if (!strncmp(line, "== ", 3)) {
        new_case(r, line + 3);
    } else if (line[0] == '#' || !line[strspn(line, " \t")]) {
        return;
    } else if (!r->n) {
        die(r, "a case such as '== NAME' is missing");
    } else if (!strncmp(line, "-- ", 3)) {
        expectation(r, line + 3);
    } else if (line[0] == '@') {
        append_phrase(r, line);
    } else {
        append(&r->cases[r->n - 1], line);
        append(&r->cases[r->n - 1], "\n");
    }
}

static void
read_file(struct reader *r, const char *name)
{
    char line[512];

    snprintf(r->path, sizeof r->path, "%s/reject/%s", vm_data_dir(), name);
    FILE *f = fopen(r->path, "r");
    if (!f) {
        fprintf(stderr, "%s: %s\n", r->path, strerror(errno));
        exit(2);
    }
    r->file = name;
    r->line = 0;
    while (fgets(line, sizeof line, f)) {
        r->line++;
        line[strcspn(line, "\n")] = '\0';
        read_line(r, line);
    }
    fclose(f);
}

static int
is_data(const struct dirent *d)
{
    size_t n = strlen(d->d_name);

    return n > 5 && !strcmp(d->d_name + n - 5, ".data");
}

struct vm_reject *
vm_reject_load(size_t *n)
{
    struct reader r = { .line = 0 };
    struct dirent **names;
    char dir[5000];

    snprintf(dir, sizeof dir, "%s/reject", vm_data_dir());
    int n_names = scandir(dir, &names, is_data, alphasort);
    if (n_names <= 0) {
        fprintf(stderr, "%s: no cases\n", dir);
        exit(2);
    }
    for (int i = 0; i < n_names; i++) {
        read_file(&r, names[i]->d_name);
        free(names[i]);
    }
    free(names);
    for (size_t i = 0; i < r.n; i++) {
        if (!r.cases[i].text || (!r.cases[i].rule && !r.cases[i].says)) {
            fprintf(stderr, "%s: a case has a program and what is expected\n",
                    r.cases[i].name);
            exit(2);
        }
    }
    *n = r.n;
    return r.cases;
}

void
vm_reject_free(struct vm_reject *cases, size_t n)
{
    for (size_t i = 0; i < n; i++) {
        free(cases[i].name);
        free(cases[i].text);
        free(cases[i].rule);
        free(cases[i].says);
    }
    free(cases);
}
