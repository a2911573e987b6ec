/* SPDX-License-Identifier: Apache-2.0 */
#include "tests/corpus/tool/corpus.h"

#include <errno.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>

static bool
parse_hex(const char *text, struct bytes *b)
{
    size_t length = strlen(text);

    b->n = 0;
    b->data = calloc(1, length / 2 + 1);
    for (size_t i = 0; i + 1 < length; i += 2) {
        const char pair[3] = { text[i], text[i + 1], '\0' };
        char *end;

        b->data[b->n++] = strtoul(pair, &end, 16);
        if (*end) {
            return false;
        }
    }
    return !(length % 2);
}

static struct setting *
add_setting(struct cases *c, enum setting_kind kind, const char *name)
{
    struct setting *s;

    c->settings = realloc(c->settings,
                          (c->n_settings + 1) * sizeof *c->settings);
    s = &c->settings[c->n_settings++];
    memset(s, 0, sizeof *s);
    s->kind = kind;
    s->name = strdup(name);
    return s;
}

static bool
add_packet(struct cases *c, const char *hex)
{
    struct packet *p;

    c->packets = realloc(c->packets,
                         (c->n_packets + 1) * sizeof *c->packets);
    p = &c->packets[c->n_packets++];
    memset(p, 0, sizeof *p);
    return parse_hex(hex, &p->in) && p->in.n <= MAX_PACKET;
}

/* What belongs to the last packet. */
static bool
add_expected(struct cases *c, const char *word, const char *text)
{
    struct packet *p = c->n_packets ? &c->packets[c->n_packets - 1] : NULL;

    if (!p) {
        return false;
    } else if (!strcmp(word, "verdict")) {
        p->verdict = strtoul(text, NULL, 10);
        return true;
    }
    p->has_out = true;
    return parse_hex(text, &p->out);
}

static bool
add_line(struct cases *c, int n, char word[4][8192])
{
    struct setting *s;

    if (n == 3 && !strcmp(word[0], "set")) {
        add_setting(c, SET_VARIABLE, word[1])->text = strdup(word[2]);
    } else if (n == 3 && !strcmp(word[0], "entries")) {
        add_setting(c, SET_ENTRIES, word[1])->text = strdup(word[2]);
    } else if (n == 4 && !strcmp(word[0], "map")) {
        s = add_setting(c, SET_ELEMENT, word[1]);
        return parse_hex(word[2], &s->key) && parse_hex(word[3], &s->value);
    } else if (n == 4 && !strcmp(word[0], "inner")) {
        s = add_setting(c, SET_INNER, word[1]);
        s->text = strdup(word[3]);
        return parse_hex(word[2], &s->key);
    } else if (n == 2 && !strcmp(word[0], "unstable")) {
        c->unstable = realloc(c->unstable,
                              (c->n_unstable + 1) * sizeof *c->unstable);
        c->unstable[c->n_unstable++] = strdup(word[1]);
    } else if (n == 2 && !strcmp(word[0], "program")) {
        c->program = strdup(word[1]);
    } else if (n == 2 && !strcmp(word[0], "packet")) {
        return add_packet(c, word[1]);
    } else if (n == 2
               && (!strcmp(word[0], "verdict")
                   || !strcmp(word[0], "output"))) {
        return add_expected(c, word[0], word[1]);
    } else {
        return false;
    }
    return true;
}

struct cases *
cases_read(const char *path)
{
    struct cases *c = calloc(1, sizeof *c);
    FILE *f = fopen(path, "r");
    char *line = NULL;
    size_t size = 0;
    bool good = f != NULL;

    if (!f) {
        fprintf(stderr, "%s: %s\n", path, strerror(errno));
    }
    while (good && getline(&line, &size, f) > 0) {
        static char word[4][8192];
        int n = sscanf(line, "%8191s %8191s %8191s %8191s", word[0], word[1],
                       word[2], word[3]);

        good = n <= 0 || add_line(c, n, word);
        if (!good) {
            fprintf(stderr, "%s: not understood: %s", path, line);
        }
    }
    free(line);
    if (f) {
        fclose(f);
    }
    if (!good) {
        cases_free(c);
        c = NULL;
    }
    return c;
}

void
cases_free(struct cases *c)
{
    if (!c) {
        return;
    }
    for (size_t i = 0; i < c->n_settings; i++) {
        free(c->settings[i].name);
        free(c->settings[i].text);
        free(c->settings[i].key.data);
        free(c->settings[i].value.data);
    }
    for (size_t i = 0; i < c->n_packets; i++) {
        free(c->packets[i].in.data);
        free(c->packets[i].out.data);
    }
    for (size_t i = 0; i < c->n_unstable; i++) {
        free(c->unstable[i]);
    }
    free(c->unstable);
    free(c->settings);
    free(c->packets);
    free(c->program);
    free(c);
}

bool
cases_is_unstable(const struct cases *c, const char *map)
{
    for (size_t i = 0; i < c->n_unstable; i++) {
        if (!strcmp(c->unstable[i], map)) {
            return true;
        }
    }
    return false;
}

bool
is_xdp_section(const char *section)
{
    return !strncmp(section, "xdp", 3)
           && (!section[3] || section[3] == '/' || section[3] == '.'
               || section[3] == '_');
}

bool
is_comparable_map(uint32_t kind)
{
    static const uint8_t kinds[] = { 1, 2, 5, 6, 9, 10, 11 };

    return memchr(kinds, kind, sizeof kinds) != NULL;
}

uint64_t
sum_element(const void *key, size_t key_size, const void *value,
            size_t value_size)
{
    const uint8_t *k = key, *v = value;
    uint64_t sum = UINT64_C(0xcbf29ce484222325);

    for (size_t i = 0; i < key_size; i++) {
        sum = (sum ^ k[i]) * UINT64_C(0x100000001b3);
    }
    for (size_t i = 0; i < value_size; i++) {
        sum = (sum ^ v[i]) * UINT64_C(0x100000001b3);
    }
    return sum;
}
