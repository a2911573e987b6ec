/* SPDX-License-Identifier: Apache-2.0 */
#include "vm/asm.h"

#include <errno.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>

#include "vm/asm-internal.h"
#include "vm/map.h"
#include "vm/type.h"

static bool
make_room(struct vm_as *as, void **array, uint32_t n, uint32_t *allocated,
          size_t size)
{
    if (n < *allocated) {
        return true;
    }

    uint32_t more = *allocated ? *allocated * 2 : 64;
    void *p = realloc(*array, more * size);
    if (!p) {
        as->error = vm_err(as->err, -ENOMEM, "no memory for line %d",
                           as->line);
        return false;
    }
    *array = p;
    *allocated = more;
    return true;
}

static void
put(struct vm_as *as, struct vm_insn insn)
{
    if (!as->error && make_room(as, (void **) &as->insns, as->n,
                                &as->allocated, sizeof *as->insns)) {
        as->insns[as->n++] = insn;
    }
}

/* Encoding. */

/* The first row of 'form', 'op' and 'bits' (0: any). */
static int
find_row(enum vm_form form, const char *op, int bits)
{
    for (int id = 0; id < VM_N_INSNS; id++) {
        if (vm_isa[id].form == form && (!bits || vm_isa[id].bits == bits)
            && (!op || !strcmp(vm_isa[id].op, op))) {
            return id;
        }
    }
    return -1;
}

static void
put_row(struct vm_as *as, int id, struct vm_insn insn)
{
    if (id < 0) {
        vm_as_fail(as, "an operation that exists in this width");
        return;
    }

    const struct vm_isa *isa = &vm_isa[id];
    insn.code = isa->code;
    if (isa->sel == VM_SEL_SRC) {
        insn.src = isa->selval;
    } else if (isa->sel == VM_SEL_OFF) {
        insn.off = isa->selval;
    } else if (isa->sel == VM_SEL_IMM) {
        insn.imm = isa->selval;
    }

    const char *wrong = (isa->code == VM_LDDW ? NULL
                         : vm_insn_check(&insn, id));
    if (wrong && !as->error) {
        as->error = vm_err(as->err, -EINVAL, "line %d: %s", as->line, wrong);
    }
    put(as, insn);
}

/* The longest operator in the text that a row of 'form' has. */
static const char *
scan_op(struct vm_as *as, enum vm_form form)
{
    const char *best = NULL;

    vm_as_skip(as);
    for (int id = 0; id < VM_N_INSNS; id++) {
        const char *op = vm_isa[id].op;

        if (vm_isa[id].form == form && !strncmp(as->p, op, strlen(op))
            && (!best || strlen(op) > strlen(best))) {
            best = op;
        }
    }
    if (best) {
        as->p += strlen(best);
    } else {
        vm_as_fail(as, "an operator");
    }
    return best;
}

/* Labels. */

static void
add_ref(struct vm_as *as, const char *name)
{
    if (!as->error && make_room(as, (void **) &as->refs, as->n_refs,
                                &as->allocated_refs, sizeof *as->refs)) {
        struct vm_as_ref *ref = &as->refs[as->n_refs++];

        snprintf(ref->name, sizeof ref->name, "%s", name);
        ref->slot = as->n;
        ref->line = as->line;
    }
}

/* A jump's target: "+3", "-3" or a label. */
static int32_t
expect_target(struct vm_as *as)
{
    char name[VM_AS_NAME];
    uint64_t value;

    vm_as_skip(as);
    if (*as->p == '+' || *as->p == '-') {
        if (vm_as_scan_int(as, &value)
            && value == (uint64_t) (int64_t) (int32_t) value) {
            return value;
        }
    } else if (vm_as_scan_name(as, name)) {
        add_ref(as, name);
        return 0;
    }
    vm_as_fail(as, "a label or a distance such as +3");
    return 0;
}

static void
add_label(struct vm_as *as, const char *name)
{
    for (uint32_t i = 0; i < as->n_labels; i++) {
        if (!strcmp(as->labels[i].name, name)) {
            as->error = vm_err(as->err, -EINVAL, "line %d: label %s is "
                               "defined twice", as->line, name);
            return;
        }
    }
    if (make_room(as, (void **) &as->labels, as->n_labels,
                  &as->allocated_labels, sizeof *as->labels)) {
        struct vm_as_label *label = &as->labels[as->n_labels++];

        snprintf(label->name, sizeof label->name, "%s", name);
        label->slot = as->n;
    }
}

static const struct vm_helper *
find_helper(const struct vm_as *as, const char *name)
{
    if (as->opts->type) {
        return vm_type_helper_by_name(as->opts->type, name);
    }

    static const struct vm_helper_set *const sets[] = {
        &vm_helpers_base, &vm_helpers_versioned,
    };
    static const struct vm_prog_type ours = {
        .helper_sets = sets, .n_helper_sets = 2,
    };
    return vm_type_helper_by_name(&ours, name);
}

static void
resolve(struct vm_as *as, const struct vm_as_ref *ref)
{
    struct vm_insn *insn = &as->insns[ref->slot];
    bool call = insn->code == (VM_JMP | VM_CALL);

    for (uint32_t i = 0; i < as->n_labels; i++) {
        if (!strcmp(as->labels[i].name, ref->name)) {
            int64_t d = (int64_t) as->labels[i].slot - ref->slot - 1;

            if (call || insn->code == (VM_JMP32 | VM_JA)) {
                insn->imm = d;
            } else if (d == (int16_t) d) {
                insn->off = d;
            } else {
                as->error = vm_err(as->err, -ERANGE, "line %d: %s is %lld "
                                   "instructions away, too far for 16 bits",
                                   ref->line, ref->name, (long long) d);
            }
            return;
        }
    }

    const struct vm_helper *helper = call ? find_helper(as, ref->name) : NULL;
    if (helper) {
        insn->src = VM_PSEUDO_HELPER;
        insn->imm = helper->id;
        return;
    }
    as->error = vm_err(as->err, -EINVAL, "line %d: there is no label %s%s",
                       ref->line, ref->name, call ? ", nor such a helper"
                                                  : "");
}

/* Statements. */

static void
parse_goto(struct vm_as *as, bool long_)
{
    int32_t distance = expect_target(as);

    if (!long_ && distance != (int16_t) distance) {
        vm_as_fail(as, "a distance of 16 bits");
    }
    put_row(as, long_ ? VM_I_JA32 : VM_I_JA,
            (struct vm_insn) { .off = long_ ? 0 : distance,
                               .imm = long_ ? distance : 0 });
}

static void
parse_if(struct vm_as *as)
{
    struct vm_insn insn = { 0 };
    int bits = 0;
    uint8_t dst = 0, src;

    if (!vm_as_scan_reg(as, &dst, &bits)) {
        vm_as_fail(as, "a register");
        return;
    }

    const char *op = scan_op(as, VM_F_JCC_RR);
    if (!op) {
        return;
    }

    enum vm_form form = VM_F_JCC_RI;
    insn.dst = dst;
    if (vm_as_scan_reg(as, &src, &bits)) {
        form = VM_F_JCC_RR;
        insn.src = src;
    } else {
        insn.imm = vm_as_expect_imm(as, bits == 32);
    }
    vm_as_expect(as, "goto");

    int32_t distance = expect_target(as);
    if (distance != (int16_t) distance) {
        vm_as_fail(as, "a distance of 16 bits");
    }
    insn.off = distance;
    put_row(as, find_row(form, op, bits), insn);
}

static void
parse_call(struct vm_as *as)
{
    struct vm_insn insn = { 0 };
    char name[VM_AS_NAME];
    uint64_t value;

    vm_as_skip(as);
    if (!strncmp(as->p, "pc", 2) && (as->p[2] == '+' || as->p[2] == '-')) {
        as->p += 2;
        insn.imm = vm_as_expect_imm(as, false);
        put_row(as, VM_I_CALL_LOCAL, insn);
    } else if (vm_as_scan_int(as, &value) && value <= UINT32_MAX) {
        insn.imm = value;
        put_row(as, VM_I_CALL, insn);
    } else if (vm_as_scan_name(as, name)) {
        /* A label, or a helper: known when all labels are. */
        add_ref(as, name);
        put_row(as, VM_I_CALL_LOCAL, insn);
    } else {
        vm_as_fail(as, "a helper or a label");
    }
}

/* "(rN + off)" after a size and "*)". */
static void
parse_address(struct vm_as *as, uint8_t *reg, int16_t *off)
{
    vm_as_expect(as, "*");
    vm_as_expect(as, ")");
    vm_as_expect(as, "(");
    *reg = vm_as_expect_reg(as, 64);
    *off = vm_as_expect_off(as);
}

static void
parse_store(struct vm_as *as)
{
    struct vm_insn insn = { 0 };
    int bits = vm_as_expect_size(as, NULL);
    int any = 64;
    uint8_t reg = 0, src;
    int16_t off = 0;

    parse_address(as, &reg, &off);
    insn.dst = reg;
    insn.off = off;
    vm_as_expect(as, "=");
    if (vm_as_scan_reg(as, &src, &any)) {
        insn.src = src;
        put_row(as, find_row(VM_F_STX, NULL, bits), insn);
    } else {
        insn.imm = vm_as_expect_imm(as, bits <= 32);
        put_row(as, find_row(VM_F_ST, NULL, bits), insn);
    }
}

static void
parse_lock(struct vm_as *as)
{
    struct vm_insn insn = { 0 };
    uint8_t reg = 0;
    int16_t off = 0;

    vm_as_expect(as, "*");
    vm_as_expect(as, "(");
    int bits = vm_as_expect_size(as, NULL);
    parse_address(as, &reg, &off);
    const char *op = scan_op(as, VM_F_ATOMIC);
    if (op) {
        insn.dst = reg;
        insn.off = off;
        insn.src = vm_as_expect_reg(as, bits == 32 ? 32 : 64);
        put_row(as, find_row(VM_F_ATOMIC, op, bits), insn);
    }
}

/* "((u64 *)(r1 + 0), " of an atomic that returns something. */
static struct vm_insn
parse_atomic_operand(struct vm_as *as, int *bits)
{
    struct vm_insn insn = { 0 };
    uint8_t reg = 0;
    int16_t off = 0;

    vm_as_expect(as, "(");
    vm_as_expect(as, "(");
    *bits = vm_as_expect_size(as, NULL);
    parse_address(as, &reg, &off);
    vm_as_expect(as, ",");
    insn.dst = reg;
    insn.off = off;
    return insn;
}

/* The rest of "rN = xchg(", "= cmpxchg(" and "= atomic_fetch_add(". */
static void
parse_fetch(struct vm_as *as, uint8_t dst, int dst_bits, const char *name)
{
    enum vm_form form = VM_F_FETCH;
    const char *op = name;
    int bits = 64;

    if (!strcmp(name, "xchg")) {
        form = VM_F_XCHG;
    } else if (!strcmp(name, "cmpxchg")) {
        form = VM_F_CMPXCHG;
    } else {
        op = name + strlen("atomic_fetch_");
    }

    struct vm_insn insn = parse_atomic_operand(as, &bits);
    int width = bits == 32 ? 32 : 64;
    if (form == VM_F_CMPXCHG) {
        if (vm_as_expect_reg(as, width) != VM_R0 || dst != VM_R0) {
            vm_as_fail(as, "r0 as what to compare with and as the result");
        }
        vm_as_expect(as, ",");
    }
    insn.src = vm_as_expect_reg(as, width);
    vm_as_expect(as, ")");
    if (width != dst_bits || (form != VM_F_CMPXCHG && insn.src != dst)) {
        vm_as_fail(as, "the same register on both sides");
    }
    put_row(as, find_row(form, op, bits), insn);
}

/* A map by name or index. */
static int32_t
expect_map(struct vm_as *as)
{
    char name[VM_AS_NAME];
    uint64_t value;

    if (vm_as_scan_int(as, &value) && value <= INT32_MAX) {
        return value;
    }
    if (vm_as_scan_name(as, name)) {
        for (uint32_t i = 0; i < as->opts->n_maps; i++) {
            if (!strcmp(as->opts->maps[i]->name, name)) {
                return i;
            }
        }
        as->p -= strlen(name);
    }
    vm_as_fail(as, "a map");
    return 0;
}

static void
put_wide(struct vm_as *as, int id, uint8_t dst, uint64_t imm)
{
    put_row(as, id, (struct vm_insn) { .dst = dst, .imm = imm });
    put(as, (struct vm_insn) { .imm = imm >> 32 });
}

/* "rN = constant" and "rN = constant ll". */
static void
parse_constant(struct vm_as *as, uint8_t dst, int bits)
{
    const char *start = as->p;
    uint64_t value;

    if (vm_as_scan_int(as, &value) && vm_as_accept(as, "ll")) {
        put_wide(as, VM_I_LDDW, dst, value);
        return;
    }
    as->p = start;
    put_row(as, find_row(VM_F_ALU_RI, "=", bits),
            (struct vm_insn) { .dst = dst,
                               .imm = vm_as_expect_imm(as, bits == 32) });
}

static void
parse_load(struct vm_as *as, uint8_t dst)
{
    struct vm_insn insn = { .dst = dst };
    bool sign = false;
    uint8_t reg = 0;
    int16_t off = 0;

    vm_as_expect(as, "(");
    int bits = vm_as_expect_size(as, &sign);
    parse_address(as, &reg, &off);
    insn.src = reg;
    insn.off = off;
    put_row(as, find_row(sign ? VM_F_LDXS : VM_F_LDX, NULL, bits), insn);
}

static void
parse_movsx(struct vm_as *as, uint8_t dst, int dst_bits)
{
    struct vm_insn insn = { .dst = dst };
    char op[VM_AS_NAME];

    if (!vm_as_scan_name(as, op)) {
        vm_as_fail(as, "s8, s16 or s32");
        return;
    }
    vm_as_expect(as, ")");
    insn.src = vm_as_expect_reg(as, dst_bits);
    put_row(as, find_row(VM_F_MOVSX, op, dst_bits), insn);
}

/* What a word after "rN = " starts. */
static void
parse_word(struct vm_as *as, uint8_t dst, int bits, const char *word)
{
    uint64_t imm;
    int id;

    if (!strcmp(word, "map")) {
        put_wide(as, VM_I_LDMAP, dst, expect_map(as));
    } else if (!strcmp(word, "map_value")) {
        imm = expect_map(as);
        if (vm_as_accept(as, "+")) {
            imm |= (uint64_t) (uint32_t) vm_as_expect_imm(as, true) << 32;
        }
        put_wide(as, VM_I_LDMAPVAL, dst, imm);
    } else if (!strncmp(word, "atomic_fetch_", 13) || !strcmp(word, "xchg")
               || !strcmp(word, "cmpxchg")) {
        parse_fetch(as, dst, bits, word);
    } else if ((id = find_row(VM_F_END, word, 0)) >= 0) {
        if (vm_as_expect_reg(as, 64) != dst || bits != 64) {
            vm_as_fail(as, "the same register on both sides");
        }
        put_row(as, id, (struct vm_insn) { .dst = dst });
    } else {
        as->p -= strlen(word);
        vm_as_fail(as, "an operand");
    }
}

static void
parse_assignment(struct vm_as *as, uint8_t dst, int bits)
{
    char word[VM_AS_NAME];
    uint8_t src;

    if (vm_as_scan_reg(as, &src, &bits)) {
        put_row(as, find_row(VM_F_ALU_RR, "=", bits),
                (struct vm_insn) { .dst = dst, .src = src });
        return;
    }
    if (*as->p == '-' && (as->p[1] == 'r' || as->p[1] == 'w')) {
        as->p++;
        if (vm_as_expect_reg(as, bits) != dst) {
            vm_as_fail(as, "the same register on both sides");
        }
        put_row(as, find_row(VM_F_NEG, NULL, bits),
                (struct vm_insn) { .dst = dst });
    } else if (*as->p == '*' && bits == 64) {
        as->p++;
        parse_load(as, dst);
    } else if (vm_as_accept(as, "(")) {
        parse_movsx(as, dst, bits);
    } else if (vm_as_scan_name(as, word)) {
        parse_word(as, dst, bits, word);
    } else {
        parse_constant(as, dst, bits);
    }
}

static void
parse_alu(struct vm_as *as)
{
    uint8_t dst, src;
    int bits = 0;

    if (!vm_as_scan_reg(as, &dst, &bits)) {
        vm_as_fail(as, "a statement");
        return;
    }

    const char *op = scan_op(as, VM_F_ALU_RR);
    if (!op) {
        return;
    }
    if (!strcmp(op, "=")) {
        vm_as_skip(as);
        parse_assignment(as, dst, bits);
    } else if (vm_as_scan_reg(as, &src, &bits)) {
        put_row(as, find_row(VM_F_ALU_RR, op, bits),
                (struct vm_insn) { .dst = dst, .src = src });
    } else {
        put_row(as, find_row(VM_F_ALU_RI, op, bits),
                (struct vm_insn) { .dst = dst,
                                   .imm = vm_as_expect_imm(as, bits == 32) });
    }
}

static void
parse_raw(struct vm_as *as)
{
    struct vm_insn insn;
    uint64_t value;

    if (!vm_as_scan_int(as, &value)) {
        vm_as_fail(as, "a number of 64 bits");
        return;
    }
    memcpy(&insn, &value, sizeof insn);
    put(as, insn);
}

static void
parse_statement(struct vm_as *as)
{
    if (vm_as_accept(as, "exit")) {
        put_row(as, VM_I_EXIT, (struct vm_insn) { 0 });
    } else if (vm_as_accept(as, "goto")) {
        parse_goto(as, false);
    } else if (vm_as_accept(as, "gotol")) {
        parse_goto(as, true);
    } else if (vm_as_accept(as, "if")) {
        parse_if(as);
    } else if (vm_as_accept(as, "call")) {
        parse_call(as);
    } else if (vm_as_accept(as, "lock")) {
        parse_lock(as);
    } else if (vm_as_accept(as, ".raw")) {
        parse_raw(as);
    } else if (vm_as_accept(as, "*(")) {
        parse_store(as);
    } else {
        parse_alu(as);
    }
}

static void
parse_line(struct vm_as *as)
{
    char name[VM_AS_NAME];
    const char *start;

    vm_as_skip(as);
    start = as->p;
    if (vm_as_scan_name(as, name) && vm_as_accept(as, ":")) {
        add_label(as, name);
    } else {
        as->p = start;
    }
    vm_as_skip(as);
    if (*as->p && !as->error) {
        parse_statement(as);
        vm_as_skip(as);
        if (*as->p) {
            vm_as_fail(as, "the end of the line");
        }
    }
}

/* Copies a line without its comment; returns where the next one starts. */
static const char *
take_line(const char *text, char *buf, size_t size)
{
    size_t n = strcspn(text, "\n");
    size_t m = n;

    for (size_t i = 0; i < n; i++) {
        if (text[i] == ';' || text[i] == '#'
            || (text[i] == '/' && i + 1 < n && text[i + 1] == '/')) {
            m = i;
            break;
        }
    }
    m = m < size ? m : size - 1;
    memcpy(buf, text, m);
    buf[m] = '\0';
    return text[n] ? text + n + 1 : text + n;
}

int
vm_asm(const char *text, const struct vm_asm_opts *opts,
       struct vm_insn **insns, uint32_t *n, struct vm_err *err)
{
    static const struct vm_asm_opts no_opts;
    struct vm_as as = { .opts = opts ? opts : &no_opts, .err = err };

    while (*text && !as.error) {
        char line[512];

        text = take_line(text, line, sizeof line);
        as.p = line;
        as.line++;
        parse_line(&as);
    }
    for (uint32_t i = 0; i < as.n_refs && !as.error; i++) {
        resolve(&as, &as.refs[i]);
    }
    free(as.labels);
    free(as.refs);
    if (as.error) {
        free(as.insns);
        as.insns = NULL;
        as.n = 0;
    }
    *insns = as.insns;
    *n = as.n;
    return as.error;
}
