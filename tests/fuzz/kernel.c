/* SPDX-License-Identifier: Apache-2.0 */
#include <linux/bpf.h>

#include "tests/fuzz/kernel.h"

#include <errno.h>
#include <sched.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <unistd.h>

#include "tests/fuzz/states.h"
#include "vm/map.h"
#include "vm/verify.h"

#define LOG_SIZE (4u << 20)

static char *verifier_log;
static struct bpf_insn translated[FUZZ_MAX_INSNS];

/* -- Programs in the kernel -- */

/* Maps by file descriptor instead of index. */
static void
translate(const struct vm_insn *insns, uint32_t n)
{
    _Static_assert(sizeof *insns == sizeof translated[0], "the same form");

    memcpy(translated, insns, n * sizeof *insns);
    for (uint32_t pc = 0; pc < n; pc += vm_insn_slots(&insns[pc])) {
        int id = vm_insn_id(&insns[pc]);

        if (id == VM_I_LDMAP || id == VM_I_LDMAPVAL) {
            translated[pc].src_reg = id == VM_I_LDMAP ? BPF_PSEUDO_MAP_FD
                                                      : BPF_PSEUDO_MAP_VALUE;
            translated[pc].imm = kernel_map_fd(insns[pc].imm);
        }
    }
}

/* A program's descriptor or a negative errno.  Log level 1: of the path that
 * was refused, 2: of all. */
static int
load_theirs(const struct vm_insn *insns, uint32_t n, uint32_t log_level)
{
    union bpf_attr attr;
    int fd;

    translate(insns, n);
    memset(&attr, 0, sizeof attr);
    attr.prog_type = BPF_PROG_TYPE_XDP;
    attr.insns = (uintptr_t) translated;
    attr.insn_cnt = n;
    attr.license = (uintptr_t) "GPL";
    if (log_level) {
        verifier_log[0] = '\0';
        attr.log_level = log_level;
        attr.log_size = LOG_SIZE;
        attr.log_buf = (uintptr_t) verifier_log;
    }
    do {
        fd = kernel_bpf(BPF_PROG_LOAD, &attr);
    } while (fd < 0 && errno == EAGAIN);
    return fd < 0 ? -errno : fd;
}

/* The log's last line that is not about how long it took. */
static const char *
their_reason(void)
{
    char *end = strstr(verifier_log, "processed ");
    char *line;

    if (!end) {
        end = verifier_log + strlen(verifier_log);
    }
    /* Some messages have no end of line. */
    end -= end > verifier_log && end[-1] == '\n';
    *end = '\0';
    line = strrchr(verifier_log, '\n');
    return line ? line + 1 : verifier_log;
}

bool
kernel_open(struct fuzz_world *w)
{
    unsigned cpu = sched_getcpu();
    cpu_set_t cpus;

    cpu = cpu < vm_n_cpus ? cpu : 0;
    vm_set_cpu(cpu);
    CPU_ZERO(&cpus);
    CPU_SET(cpu, &cpus);
    verifier_log = malloc(LOG_SIZE);
    if (!verifier_log || sched_setaffinity(0, sizeof cpus, &cpus)
        || !kernel_maps_open(w)) {
        return false;
    }
    for (uint32_t i = 0; i < 5; i++) {
        int fd = load_theirs(w->targets[i]->insns, w->targets[i]->n_insns, 0);
        union bpf_attr attr;

        memset(&attr, 0, sizeof attr);
        attr.map_fd = kernel_map_fd(FUZZ_M_progs);
        attr.key = (uintptr_t) &i;
        attr.value = (uintptr_t) &fd;
        if (fd < 0 || kernel_bpf(BPF_MAP_UPDATE_ELEM, &attr)) {
            return false;
        }
        close(fd);
    }
    w->no_devices = true;
    return true;
}

/* -- Verdicts -- */

static struct vm_prog *
load_ours(struct fuzz_world *w, const struct fuzz_program *p,
          struct outcome *o)
{
    static const struct vm_verify_opts opts = { .max_steps = 100000 };
    const struct vm_prog_attr attr = {
        .type = &w->type, .name = "fuzz", .insns = p->insns, .n_insns = p->n,
        .maps = w->maps, .n_maps = FUZZ_N_KERNEL_MAPS, .verify = vm_verify,
        .verify_opts = &opts,
    };
    struct vm_prog *prog;
    struct vm_err err = { 0 };
    int error = vm_prog_load(&attr, &prog, &err);

    if (error) {
        o->verdict = error == -E2BIG ? V_COMPLEX : V_REJECTED;
        snprintf(o->why, sizeof o->why, "%s", err.text);
        return NULL;
    }
    o->verdict = V_GOOD;
    return prog;
}

/* Messages without what changes from program to program. */
static void
generalize(char *to, size_t size, const char *from)
{
    size_t n = 0;

    for (; *from && *from != '\n' && n + 2 < size; from++) {
        bool digit = *from >= '0' && *from <= '9';

        if (!digit) {
            to[n++] = *from;
        } else if (!n || to[n - 1] != '#') {
            to[n++] = '#';
        }
        if (digit && from[1] == 'x') {
            from += 1 + strspn(from + 2, "0123456789abcdef");
        }
    }
    to[n] = '\0';
}

/* What of a message of ours says which rule was broken. */
static const char *
our_reason(char *text)
{
    const char *at;

    text[strcspn(text, "\n;")] = '\0';
    at = strrchr(text, ':');
    return at ? at + 2 : text;
}

/* Whether Linux walked over the instruction that we reject. */
static bool
is_walked(const char *text)
{
    unsigned pc;
    char line[32];

    if (sscanf(text, "insn %u (", &pc) != 1) {
        return true;
    }
    snprintf(line, sizeof line, "\n%u: (", pc);
    return strstr(verifier_log, line);
}

/* Whether the path to what Linux rejects, in its log, is one that cannot be:
 * over an instruction that we found dead, or a branch the other way than we
 * decided. */
static bool
is_impossible(const struct vm_prog *prog, const char *end)
{
    const struct vm_aux *before = NULL;
    uint32_t pc, last = 0;

    for (char *line = verifier_log; line && line < end;
         line = strchr(line, '\n')) {
        line += *line == '\n';
        if (sscanf(line, "%u: (", &pc) != 1 || !strchr(line, '(')
            || pc >= prog->n_insns) {
            continue;
        }
        if (!(prog->aux[pc].flags & VM_AUX_SEEN)
            || (before && before->flags & VM_AUX_ALWAYS && pc == last + 1)
            || (before && before->flags & VM_AUX_NEVER && pc != last + 1)) {
            return true;
        }
        before = &prog->aux[pc];
        last = pc;
    }
    return false;
}

static void
classify_refusal(const struct vm_prog *prog, struct outcome *o)
{
    const char *reason = their_reason();

    if (is_impossible(prog, reason)) {
        snprintf(o->why, sizeof o->why, "on a path that cannot be");
    } else {
        generalize(o->why, sizeof o->why, reason);
    }
}

static void
classify_acceptance(struct outcome *o)
{
    char why[sizeof o->why];

    if (!is_walked(o->why)) {
        snprintf(o->why, sizeof o->why, "dead code in Linux");
        return;
    }
    generalize(why, sizeof why, our_reason(o->why));
    snprintf(o->why, sizeof o->why, "%s", why);
}

/* -- Runs -- */

/* The test run's page holds no more. */
#define MAX_TEST_RUN 3000

static bool
calls(const struct vm_prog *prog, int32_t helper)
{
    const struct vm_insn *insns = prog->insns;

    for (uint32_t pc = 0; pc < prog->n_insns;
         pc += vm_insn_slots(&insns[pc])) {
        if (vm_insn_id(&insns[pc]) == VM_I_CALL
            && insns[pc].imm == helper) {
            return true;
        }
    }
    return false;
}

/* Helpers whose answers are not the same on both sides. */
static bool
can_compare(const struct vm_prog *prog)
{
    static const int32_t differ[] = {
        BPF_FUNC_ktime_get_ns, BPF_FUNC_ktime_get_boot_ns,
        BPF_FUNC_ktime_get_coarse_ns, BPF_FUNC_jiffies64,
        BPF_FUNC_get_prandom_u32, BPF_FUNC_xdp_load_bytes,
        BPF_FUNC_ringbuf_reserve, BPF_FUNC_ringbuf_query,
    };

    for (size_t i = 0; i < sizeof differ / sizeof differ[0]; i++) {
        if (calls(prog, differ[i])) {
            return false;
        }
    }
    return true;
}

static bool
run_theirs(int fd, uint64_t seed, uint32_t *ret, uint8_t *out,
           uint32_t *size)
{
    uint8_t packet[FUZZ_MAX_PACKET];
    union bpf_attr attr;

    memset(&attr, 0, sizeof attr);
    attr.test.data_size_in = fuzz_packet(seed, packet);
    attr.test.data_in = (uintptr_t) packet;
    attr.test.data_out = (uintptr_t) out;
    attr.test.data_size_out = 4096;
    attr.test.prog_fd = fd;
    attr.test.repeat = 1;
    if (kernel_bpf(BPF_PROG_TEST_RUN, &attr)) {
        return false;
    }
    *ret = attr.test.retval;
    *size = attr.test.data_size_out;
    return true;
}

/* Whether the result changes with where the stack is, or may with where the
 * packet or a map is. */
static bool
depends_on_addresses(struct fuzz_world *w, const struct vm_prog *prog,
                     uint64_t seed, uint32_t maps)
{
    struct fuzz_trace trace;
    struct fuzz_result a, b;

    for (size_t shift = 64; shift < 40000; shift = shift * 3 + 16) {
        fuzz_world_reset(w, seed, maps);
        fuzz_world_result(w, fuzz_shifted_run(prog, w->ctx, 64), maps, &a);
        fuzz_world_reset(w, seed, maps);
        fuzz_world_result(w, fuzz_shifted_run(prog, w->ctx, shift), maps,
                          &b);
        if (!fuzz_result_equal(&a, &b)) {
            return true;
        }
    }
    fuzz_world_reset(w, seed, maps);
    fuzz_trace_run(prog, w->ctx, &trace);
    return trace.pointers;
}

static void
compare_runs(struct fuzz_world *w, const struct vm_prog *prog, int fd,
             uint64_t seed, struct outcome *o)
{
    uint32_t maps = fuzz_maps_used(prog->insns, prog->n_insns);
    uint8_t out[4096];
    uint32_t ret, size, our_size;
    const char *name = NULL, *what = NULL;
    const uint8_t *data;
    uint64_t r0;

    o->input = seed;
    kernel_maps_reset(seed, maps);
    fuzz_world_reset(w, seed, maps);
    if (!run_theirs(fd, seed, &ret, out, &size)) {
        o->verdict = V_OTHER_RESULT;
        snprintf(o->why, sizeof o->why, "no run: %s", strerror(errno));
        return;
    }
    r0 = vm_prog_run_fast(prog, w->ctx);
    data = w->xdp->data_meta;
    our_size = w->xdp->data_end - data;
    if ((uint32_t) r0 != ret) {
        what = "result";
    } else if (our_size != size) {
        what = "size of the packet";
    } else if (memcmp(out, data, size)) {
        what = "packet";
    } else if (!kernel_maps_equal(w, maps, &name)) {
        what = "map ";
    }
    if (what && (depends_on_addresses(w, prog, seed, maps))) {
        o->verdict = V_ADDRESS;
    } else if (what && calls(prog, BPF_FUNC_xdp_adjust_tail)
               && our_size > MAX_TEST_RUN) {
        o->verdict = V_ADDRESS;         /* More than Linux has room for. */
    } else if (what) {
        o->verdict = V_OTHER_RESULT;
        snprintf(o->why, sizeof o->why, "%s%s", what, name ? name : "");
    }
}

void
kernel_try(struct fuzz_world *w, const struct fuzz_program *p, uint64_t seed,
           uint32_t inputs, struct outcome *o)
{
    struct vm_prog *prog;
    int fd;

    memset(o, 0, offsetof(struct outcome, why) + 1);
    prog = load_ours(w, p, o);
    fd = load_theirs(p->insns, p->n, 0);
    if (prog && fd < 0) {
        o->verdict = V_ONLY_OURS;
        load_theirs(p->insns, p->n, 1);
        classify_refusal(prog, o);
    } else if (!prog && fd >= 0 && o->verdict != V_COMPLEX) {
        o->verdict = V_ONLY_LINUX;
        close(fd);
        fd = load_theirs(p->insns, p->n, 2);
        classify_acceptance(o);
    } else if (prog && can_compare(prog)) {
        o->steps = 1;
        for (uint32_t i = 0; i < inputs && o->verdict == V_GOOD; i++) {
            compare_runs(w, prog, fd, seed + i, o);
        }
    }
    if (fd >= 0) {
        close(fd);
    }
    vm_prog_unref(prog);
    vm_defer_run();
}

/* -- Classes -- */

static const struct known {
    uint8_t verdict;
    const char *text, *why;
} knowns[] = {
#define KNOWN(VERDICT, TEXT, WHY) { VERDICT, TEXT, WHY },
#include "tests/fuzz/kernel.def"
};

#define N_KNOWN (sizeof knowns / sizeof knowns[0])
#define MAX_CLASSES 512

static struct class {
    uint8_t verdict;
    char *text;
    const struct known *known;
    uint64_t n, first;
} classes[MAX_CLASSES];
static uint32_t n_classes;
static uint64_t n_tried, n_ran, n_both, n_neither, n_too_complex;

static const struct known *
find_known(const struct outcome *o)
{
    for (size_t i = 0; i < N_KNOWN; i++) {
        if (knowns[i].verdict == o->verdict
            && strstr(o->why, knowns[i].text)) {
            return &knowns[i];
        }
    }
    return NULL;
}

bool
kernel_note(const struct outcome *o, uint64_t seed)
{
    const struct known *known;

    n_tried++;
    n_ran += o->steps;
    n_both += o->verdict == V_GOOD || o->verdict == V_ADDRESS
              || o->verdict == V_OTHER_RESULT;
    n_neither += o->verdict == V_REJECTED;
    n_too_complex += o->verdict == V_COMPLEX;
    if (o->verdict < V_ONLY_OURS) {
        return false;
    }
    known = find_known(o);
    for (uint32_t i = 0; i < n_classes; i++) {
        struct class *c = &classes[i];

        if (c->verdict == o->verdict
            && (known ? c->known == known : !strcmp(c->text, o->why))) {
            c->n++;
            return false;
        }
    }
    if (n_classes < MAX_CLASSES) {
        classes[n_classes++] = (struct class) {
            o->verdict, strdup(o->why), known, 1, seed,
        };
    }
    return !known;
}

bool
kernel_print(void)
{
    bool good = true;

    printf("%llu programs: %llu accepted by both (%llu run), %llu by "
           "neither, %llu too long for ours\n",
           (unsigned long long) n_tried, (unsigned long long) n_both,
           (unsigned long long) n_ran, (unsigned long long) n_neither,
           (unsigned long long) n_too_complex);
    for (uint32_t i = 0; i < n_classes; i++) {
        const struct class *c = &classes[i];

        printf("%8llu %s%s: %s (first: %llu)%s%s\n",
               (unsigned long long) c->n, c->known ? "" : "UNKNOWN ",
               verdict_name(c->verdict),
               c->known ? c->known->text : c->text,
               (unsigned long long) c->first, c->known ? "; " : "",
               c->known ? c->known->why : "");
        good = good && c->known;
    }
    return good;
}
