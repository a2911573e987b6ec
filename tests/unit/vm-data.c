/* SPDX-License-Identifier: Apache-2.0 */
#include "tests/unit/vm-data.h"

#include <dirent.h>
#include <errno.h>
#include <inttypes.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>

enum section { NONE, ASM, MEM, RESULT, AFTER, ERROR, FAULT };

static const char *const section_names[] = {
    [ASM] = "asm", [MEM] = "mem", [RESULT] = "result", [AFTER] = "after",
    [ERROR] = "error", [FAULT] = "fault",
};

struct reader {
    const char *file;
    int line;
    struct vm_case *cases;
    size_t n, allocated;
    enum section section;
};

const char *
vm_data_dir(void)
{
    static char dir[4096];
    const char *top = getenv("TOP");

    snprintf(dir, sizeof dir, "%s/tests/data/vm", top ? top : ".");
    return dir;
}

int
vm_data_trust(struct vm_prog *prog, const struct vm_verify_opts *opts,
              struct vm_err *err)
{
    for (uint32_t pc = 0; pc < prog->n_insns; pc++) {
        prog->aux[pc].flags |= VM_AUX_SEEN;
    }
    return 0;
}

static void __attribute__((noreturn))
die(const struct reader *r, const char *why)
{
    fprintf(stderr, "%s:%d: %s\n", r->file, r->line, why);
    exit(2);
}

static char *
append(char *to, const char *line)
{
    size_t n = to ? strlen(to) : 0;
    size_t size = n + strlen(line) + 2;
    char *p = realloc(to, size);

    snprintf(p + n, size - n, "%s\n", line);
    return p;
}

static void
append_hex(const struct reader *r, uint8_t **bytes, size_t *n,
           const char *line)
{
    char *end;

    for (;;) {
        unsigned long byte = strtoul(line, &end, 16);

        if (end == line) {
            break;
        }
        if (byte > 255) {
            die(r, "a byte is two hex digits");
        }
        *bytes = realloc(*bytes, *n + 1);
        (*bytes)[(*n)++] = byte;
        line = end;
    }
    if (line[strspn(line, " \t")]) {
        die(r, "a byte is two hex digits");
    }
}

static void
new_case(struct reader *r, const char *name)
{
    if (r->n == r->allocated) {
        r->allocated = r->allocated ? r->allocated * 2 : 256;
        r->cases = realloc(r->cases, r->allocated * sizeof *r->cases);
    }

    struct vm_case *c = &r->cases[r->n++];
    memset(c, 0, sizeof *c);
    if (asprintf(&c->name, "%s: %s", r->file, name) < 0) {
        abort();
    }
    r->section = NONE;
}

static void
new_section(struct reader *r, const char *name)
{
    for (enum section s = ASM; s <= FAULT; s++) {
        if (!strcmp(name, section_names[s])) {
            r->section = s;
            return;
        }
    }
    die(r, "unknown section");
}

static char *
copy(const struct reader *r, char *old, const char *line)
{
    if (old) {
        die(r, "a message is one line");
    }
    return strdup(line);
}

static void
content(struct reader *r, const char *line)
{
    struct vm_case *c = &r->cases[r->n - 1];

    switch (r->section) {
    case NONE:
        die(r, "a section such as '-- asm' is missing");
    case ASM:
        c->text = append(c->text, line);
        break;
    case MEM:
        append_hex(r, &c->mem, &c->mem_size, line);
        break;
    case RESULT:
        c->has_result = true;
        c->result = strtoull(line, NULL, 0);
        break;
    case AFTER:
        append_hex(r, &c->after, &c->after_size, line);
        break;
    case ERROR:
        c->error = copy(r, c->error, line);
        break;
    case FAULT:
        c->fault = copy(r, c->fault, line);
        break;
    }
}

static void
read_file(struct reader *r, const char *name)
{
    char path[5000], line[512];

    snprintf(path, sizeof path, "%s/%s", vm_data_dir(), name);
    FILE *f = fopen(path, "r");
    if (!f) {
        fprintf(stderr, "%s: %s\n", path, strerror(errno));
        exit(2);
    }
    r->file = name;
    r->line = 0;
    while (fgets(line, sizeof line, f)) {
        char *hash = strchr(line, '#');

        r->line++;
        line[strcspn(line, "\n")] = '\0';
        if (hash) {
            *hash = '\0';
        }
        if (!strncmp(line, "== ", 3)) {
            new_case(r, line + 3);
        } else if (!strncmp(line, "-- ", 3)) {
            new_section(r, line + 3);
        } else if (line[strspn(line, " \t")]) {
            if (!r->n) {
                die(r, "a case such as '== NAME' is missing");
            }
            content(r, line);
        }
    }
    fclose(f);
}

static int
is_data(const struct dirent *d)
{
    size_t n = strlen(d->d_name);

    return n > 5 && !strcmp(d->d_name + n - 5, ".data");
}

struct vm_case *
vm_data_load(size_t *n)
{
    struct reader r = { .file = "" };
    struct dirent **names;
    int n_names = scandir(vm_data_dir(), &names, is_data, alphasort);

    if (n_names <= 0) {
        fprintf(stderr, "%s: no cases\n", vm_data_dir());
        exit(2);
    }
    for (int i = 0; i < n_names; i++) {
        read_file(&r, names[i]->d_name);
        free(names[i]);
    }
    free(names);
    for (size_t i = 0; i < r.n; i++) {
        const struct vm_case *c = &r.cases[i];

        if (!c->text || c->has_result + !!c->error + !!c->fault != 1
            || (c->after && c->after_size != c->mem_size)) {
            fprintf(stderr, "%s: a case has assembly, and a result, an error "
                    "or a fault\n", c->name);
            exit(2);
        }
    }
    *n = r.n;
    return r.cases;
}

void
vm_data_free(struct vm_case *cases, size_t n)
{
    for (size_t i = 0; i < n; i++) {
        free(cases[i].name);
        free(cases[i].text);
        free(cases[i].mem);
        free(cases[i].after);
        free(cases[i].error);
        free(cases[i].fault);
    }
    free(cases);
}

static char *
check(const struct vm_case *c, uint64_t result, const uint8_t *mem)
{
    char *wrong = NULL;

    if (c->fault) {
        if (!vm_fault.error || !strstr(vm_fault.text, c->fault)) {
            asprintf(&wrong, "stopped by '%s', expected '%s'",
                     vm_fault.error ? vm_fault.text : "nothing", c->fault);
        }
    } else if (vm_fault.error) {
        asprintf(&wrong, "stopped: %s", vm_fault.text);
    } else if (result != c->result) {
        asprintf(&wrong, "result 0x%" PRIx64 ", expected 0x%" PRIx64, result,
                 c->result);
    } else if (c->after && memcmp(mem, c->after, c->mem_size)) {
        size_t i = 0;

        while (mem[i] == c->after[i]) {
            i++;
        }
        asprintf(&wrong, "memory byte %zu is %02x, expected %02x", i, mem[i],
                 c->after[i]);
    }
    return wrong;
}

char *
vm_data_run(const struct vm_case *c, const struct vm_prog *prog,
            uint64_t (*run)(const struct vm_prog *, void *ctx))
{
    /* Bytes around the memory show an engine that writes outside. */
    size_t size = c->mem_size + 64;
    uint8_t *mem = aligned_alloc(16, (size + 15) & ~(size_t) 15);
    char *wrong;

    memset(mem, 0xa5, size);
    if (c->mem_size) {
        memcpy(mem + 32, c->mem, c->mem_size);
    }

    uint64_t result = run(prog, mem + 32);
    wrong = check(c, result, mem + 32);
    for (size_t i = 0; i < 32 && !wrong; i++) {
        if (mem[i] != 0xa5 || mem[32 + c->mem_size + i] != 0xa5) {
            wrong = strdup("wrote beside the memory");
        }
    }
    free(mem);
    return wrong;
}
