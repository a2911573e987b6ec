/* SPDX-License-Identifier: Apache-2.0 */
#ifndef TESTS_CORPUS_TOOL_H
#define TESTS_CORPUS_TOOL_H 1

/* Objects with XDP programs, loaded side by side by Linux and by us.
 *
 * What: a list names objects and, for some, a file of settings and packets
 * (`struct cases`, made by tests/corpus/run from the heads of the programs'
 * sources).  An object is opened by each of several engines (`struct
 * engine`): the kernel, our checked and our fast interpreter, our native
 * code.  Each verifies the object's XDP programs and runs the packets through
 * one of them, on maps of its own.
 *
 * Ownership: an engine owns what it opened; names point into the cases.
 * Threads: one. */

#include <stdbool.h>
#include <stddef.h>
#include <stdint.h>

#define MAX_PACKET 2048

struct bytes {
    uint8_t *data;
    size_t n;
};

enum setting_kind {
    SET_VARIABLE,               /* set NAME VALUE */
    SET_ENTRIES,                /* entries MAP NUMBER */
    SET_ELEMENT,                /* map MAP KEY VALUE, in hex */
    SET_INNER,                  /* inner MAP KEY NAME-OF-INNER-MAP */
};

struct setting {
    enum setting_kind kind;
    char *name;
    char *text;                 /* VALUE, NUMBER, NAME. */
    struct bytes key, value;
};

struct packet {
    struct bytes in;
    uint32_t verdict;
    struct bytes out;           /* Expected, if 'has_out'. */
    bool has_out;
};

struct cases {
    struct setting *settings;
    size_t n_settings;
    struct packet *packets;
    size_t n_packets;
    char **unstable;            /* Maps whose contents may differ. */
    size_t n_unstable;
    char *program;              /* That gets the packets; NULL: the first. */
};

/* Null after a sentence on stderr. */
struct cases *cases_read(const char *path);
void cases_free(struct cases *);
bool cases_is_unstable(const struct cases *, const char *map);

struct result {
    uint32_t verdict;
    uint8_t out[MAX_PACKET + 512];
    size_t n_out;
};

/* One verified program of an object. */
struct verified {
    char name[64];
    uint32_t n_insns;
    uint64_t ns;                /* How long the verifier took. */
    uint64_t n_processed;       /* Instructions walked; 0: not known. */
};

#define MAX_PROGRAMS 24
#define MAX_SENTENCE 512

struct report {
    struct verified programs[MAX_PROGRAMS];
    uint32_t n_programs;
    char sentence[MAX_SENTENCE];        /* Why it failed. */
};

struct engine {
    const char *name;
    /* Opens 'path' with the settings of 'cases' (may be null), loads and
     * verifies its XDP programs; null, with report->sentence, if one is
     * refused. */
    void *(*open)(const char *path, const struct cases *,
                  struct report *);
    void (*close)(void *);
    bool (*run)(void *, const struct packet *, struct result *);
    /* Adds to '*sum' a sum of the contents of map number 'index' and gives
     * its name; false after the last. */
    bool (*map)(void *, unsigned int index, char name[32], uint64_t *sum);
};

extern const struct engine engine_kernel;
extern const struct engine engine_checked, engine_fast, engine_native;

/* True if Linux lets this process load programs. */
bool kernel_usable(void);

/* Whether a program with this section's name is for XDP. */
bool is_xdp_section(const char *section);

/* Whether maps of this kind (Linux's number) hold plain bytes. */
bool is_comparable_map(uint32_t kind);

/* What stands in a map as one number, of keys and values in any order. */
uint64_t sum_element(const void *key, size_t key_size, const void *value,
                     size_t value_size);

int check_objects(const char *list, bool with_kernel, bool all_engines);
int time_objects(const char *list, unsigned int rounds);

#endif /* tests/corpus/tool/corpus.h */
