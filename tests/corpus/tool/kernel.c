/* SPDX-License-Identifier: Apache-2.0 */

/* Linux's side: libbpf loads, BPF_PROG_TEST_RUN runs. */

#include "tests/corpus/tool/corpus.h"

#include <errno.h>
#include <stdarg.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <unistd.h>

#include <bpf/bpf.h>
#include <bpf/btf.h>
#include <bpf/libbpf.h>

#define LOG_SIZE 65536
#define LOG_REASON 1
#define LOG_STATS 4

struct kernel {
    struct bpf_object *obj;
    struct bpf_program *prog;
};

static char warning[MAX_SENTENCE];

static int
keep_warning(enum libbpf_print_level level, const char *format, va_list args)
{
    if (level == LIBBPF_WARN && !warning[0]) {
        vsnprintf(warning, sizeof warning, format, args);
    }
    return 0;
}

bool
kernel_usable(void)
{
    const struct bpf_insn insns[] = {
        { .code = BPF_ALU64 | BPF_MOV | BPF_K, .dst_reg = 0, .imm = 2 },
        { .code = BPF_JMP | BPF_EXIT },
    };
    int fd = bpf_prog_load(BPF_PROG_TYPE_XDP, "bvs", "GPL", insns, 2, NULL);
    bool usable = fd >= 0;

    if (usable) {
        struct bpf_test_run_opts opts = { .sz = sizeof opts };
        uint8_t data[64] = { 0 };

        opts.data_in = data;
        opts.data_size_in = sizeof data;
        usable = !bpf_prog_test_run_opts(fd, &opts) && opts.retval == 2;
        close(fd);
    }
    return usable;
}

static bool
set_variable(struct bpf_object *obj, const struct setting *s)
{
    const struct btf *btf = bpf_object__btf(obj);
    uint64_t number = strtoull(s->text, NULL, 0);
    struct bpf_map *map;

    bpf_object__for_each_map(map, obj) {
        size_t size;
        uint8_t *data = (uint8_t *) bpf_map__initial_value(map, &size);
        const struct btf_type *sec
            = data ? btf__type_by_id(btf, bpf_map__btf_value_type_id(map))
                   : NULL;

        for (int i = 0; sec && btf_is_datasec(sec) && i < btf_vlen(sec);
             i++) {
            const struct btf_var_secinfo *info = btf_var_secinfos(sec) + i;
            const struct btf_type *t = btf__type_by_id(btf, info->type);

            if (!strcmp(btf__name_by_offset(btf, t->name_off), s->name)
                && info->size <= 8) {
                memcpy(data + info->offset, &number, info->size);
                return true;
            }
        }
    }
    return false;
}

static bool
set_before(struct bpf_object *obj, const struct setting *s)
{
    struct bpf_map *map;

    if (s->kind == SET_VARIABLE) {
        return set_variable(obj, s);
    } else if (s->kind == SET_ENTRIES) {
        map = bpf_object__find_map_by_name(obj, s->name);
        return map && !bpf_map__set_max_entries(map, strtoul(s->text, NULL,
                                                             0));
    }
    return true;
}

static bool
set_after(struct bpf_object *obj, const struct setting *s)
{
    int fd, inner;

    if (s->kind != SET_ELEMENT && s->kind != SET_INNER) {
        return true;
    }
    fd = bpf_object__find_map_fd_by_name(obj, s->name);
    if (s->kind == SET_ELEMENT) {
        return !bpf_map_update_elem(fd, s->key.data, s->value.data, BPF_ANY);
    }
    inner = bpf_object__find_map_fd_by_name(obj, s->text);
    return !bpf_map_update_elem(fd, s->key.data, &inner, BPF_ANY);
}

/* What follows 'words'. */
static const char *
after(const char *text, const char *words)
{
    const char *p = strstr(text, words);

    return p ? p + strlen(words) : NULL;
}

static void
read_log(struct bpf_program *prog, const char *log, struct report *report)
{
    struct verified *v = &report->programs[report->n_programs];
    const char *time = after(log, "verification time ");
    const char *steps = after(log, "processed ");

    if (report->n_programs < MAX_PROGRAMS) {
        snprintf(v->name, sizeof v->name, "%s", bpf_program__name(prog));
        v->n_insns = bpf_program__insn_cnt(prog);
        v->ns = time ? strtoull(time, NULL, 10) * 1000 : 0;
        v->n_processed = steps ? strtoull(steps, NULL, 10) : 0;
        report->n_programs++;
    }
}

static void
kernel_close(void *k_)
{
    struct kernel *k = k_;

    bpf_object__close(k->obj);
    free(k);
}

/* Says which programs to load and where their logs go. */
static void
prepare(struct bpf_object *obj, char *logs, int level)
{
    struct bpf_program *prog;
    struct bpf_map *map;
    uint32_t n = 0;

    bpf_object__for_each_map(map, obj) {
        bpf_map__set_pin_path(map, NULL);
    }
    bpf_object__for_each_program(prog, obj) {
        bool wanted = is_xdp_section(bpf_program__section_name(prog))
                      && n < MAX_PROGRAMS;

        bpf_program__set_autoload(prog, wanted);
        if (wanted) {
            bpf_program__set_type(prog, BPF_PROG_TYPE_XDP);
            bpf_program__set_log_level(prog, level);
            bpf_program__set_log_buf(prog, logs + n++ * LOG_SIZE, LOG_SIZE);
        }
    }
}

/* The end of the last log that there is: libbpf stops at the program that is
 * refused. */
static void
say_why(const char *logs, struct report *report)
{
    for (uint32_t i = MAX_PROGRAMS; i-- > 0; ) {
        const char *log = logs + i * LOG_SIZE;
        size_t n = strlen(log);

        if (n) {
            size_t room = sizeof report->sentence - 1;

            snprintf(report->sentence, sizeof report->sentence, "%s",
                     n > room ? log + n - room : log);
            return;
        }
    }
    snprintf(report->sentence, sizeof report->sentence, "%s",
             warning[0] ? warning : strerror(errno));
}

static bool
load(struct kernel *k, const struct cases *cases, const char *logs,
     struct report *report)
{
    struct bpf_program *prog;
    uint32_t n = 0;

    for (size_t i = 0; cases && i < cases->n_settings; i++) {
        if (!set_before(k->obj, &cases->settings[i])) {
            snprintf(report->sentence, sizeof report->sentence,
                     "cannot set %s", cases->settings[i].name);
            return false;
        }
    }
    if (bpf_object__load(k->obj)) {
        say_why(logs, report);
        return false;
    }
    for (size_t i = 0; cases && i < cases->n_settings; i++) {
        if (!set_after(k->obj, &cases->settings[i])) {
            snprintf(report->sentence, sizeof report->sentence,
                     "cannot write map %s: %s", cases->settings[i].name,
                     strerror(errno));
            return false;
        }
    }
    bpf_object__for_each_program(prog, k->obj) {
        if (!bpf_program__autoload(prog)) {
            continue;
        }
        read_log(prog, logs + n++ * LOG_SIZE, report);
        if (cases && cases->program
            ? !strcmp(bpf_program__name(prog), cases->program) : !k->prog) {
            k->prog = prog;
        }
    }
    return true;
}

static struct kernel *
open_at_level(const char *path, const struct cases *cases,
              struct report *report, int level)
{
    struct bpf_object_open_opts opts = {
        .sz = sizeof opts, .object_name = "bvs",
    };
    struct kernel *k = calloc(1, sizeof *k);
    char *logs = calloc(MAX_PROGRAMS, LOG_SIZE);
    bool good;

    report->n_programs = 0;
    warning[0] = '\0';
    libbpf_set_print(keep_warning);
    k->obj = bpf_object__open_file(path, &opts);
    good = !libbpf_get_error(k->obj);
    if (good) {
        prepare(k->obj, logs, level);
        good = load(k, cases, logs, report);
    } else {
        k->obj = NULL;
        say_why(logs, report);
    }
    free(logs);
    if (!good) {
        kernel_close(k);
        return NULL;
    }
    return k;
}

/* Logs cost time, so why is asked only afterwards. */
static void *
kernel_open(const char *path, const struct cases *cases,
            struct report *report)
{
    struct kernel *k = open_at_level(path, cases, report, LOG_STATS);

    return k ? k : open_at_level(path, cases, report,
                                 LOG_REASON | LOG_STATS);
}

static bool
kernel_run(void *k_, const struct packet *p, struct result *r)
{
    const struct kernel *k = k_;
    struct bpf_test_run_opts opts = { .sz = sizeof opts };

    opts.data_in = p->in.data;
    opts.data_size_in = p->in.n;
    opts.data_out = r->out;
    opts.data_size_out = sizeof r->out;
    if (bpf_prog_test_run_opts(bpf_program__fd(k->prog), &opts)) {
        fprintf(stderr, "BPF_PROG_TEST_RUN: %s\n", strerror(errno));
        return false;
    }
    r->verdict = opts.retval;
    r->n_out = opts.data_size_out;
    return true;
}

static uint64_t
sum_map(const struct bpf_map *map)
{
    size_t key_size = bpf_map__key_size(map);
    size_t value_size = bpf_map__value_size(map);
    uint8_t *key = calloc(2, key_size);
    uint8_t *value = calloc(libbpf_num_possible_cpus(), value_size + 8);
    int fd = bpf_map__fd(map);
    bool more = !bpf_map_get_next_key(fd, NULL, key);
    uint64_t sum = 0;

    while (more) {
        if (!bpf_map_lookup_elem(fd, key, value)) {
            sum += sum_element(key, key_size, value, value_size);
        }
        more = !bpf_map_get_next_key(fd, key, key + key_size);
        memmove(key, key + key_size, key_size);
    }
    free(key);
    free(value);
    return sum;
}

static bool
kernel_map(void *k_, unsigned int index, char name[32], uint64_t *sum)
{
    const struct kernel *k = k_;
    struct bpf_map *map;

    bpf_object__for_each_map(map, k->obj) {
        if (!index--) {
            snprintf(name, 32, "%s", bpf_map__name(map));
            *sum = is_comparable_map(bpf_map__type(map)) ? sum_map(map) : 0;
            return true;
        }
    }
    return false;
}

const struct engine engine_kernel = {
    "kernel", kernel_open, kernel_close, kernel_run, kernel_map
};
