/* SPDX-License-Identifier: Apache-2.0 */
#include "vm/disasm.h"

#include <ctype.h>
#include <inttypes.h>
#include <stdarg.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>

#include "vm/map.h"

/* Where the text goes, and the names that it may need. */
struct names {
    char *buf;
    size_t size;
    const struct vm_prog_type *type;
    struct vm_map *const *maps;
    uint32_t n_maps;
    const uint8_t *targets;     /* Slots with a label, or NULL: distances. */
    uint32_t n;
};

static const char *const regs64[] = {
    "r0", "r1", "r2", "r3", "r4", "r5", "r6", "r7", "r8", "r9", "r10",
};
static const char *const regs32[] = {
    "w0", "w1", "w2", "w3", "w4", "w5", "w6", "w7", "w8", "w9", "w10",
};

/* "r1 + 16" */
static const char *
address(char *buf, size_t size, uint8_t reg, int off)
{
    snprintf(buf, size, "%s %c %d", regs64[reg], off < 0 ? '-' : '+',
             abs(off));
    return buf;
}

static bool
is_name(const char *s)
{
    if (!isalpha((unsigned char) *s) && *s != '_') {
        return false;
    }
    while (isalnum((unsigned char) *s) || *s == '_' || *s == '.') {
        s++;
    }
    return !*s;
}

/* The map's name, if it is one that vm_asm() finds again, or its index. */
static const char *
map_name(const struct names *names, uint32_t index, char *buf, size_t size)
{
    if (names->maps && index < names->n_maps
        && is_name(names->maps[index]->name)) {
        uint32_t i = 0;

        while (strcmp(names->maps[i]->name, names->maps[index]->name)) {
            i++;
        }
        if (i == index) {
            return names->maps[index]->name;
        }
    }
    snprintf(buf, size, "%" PRIu32, index);
    return buf;
}

#define TARGET_SIZE 32

/* Where the jump or local call at 'pc' goes. */
static const char *
target(const struct names *names, uint32_t pc, int32_t distance, bool call,
       char buf[TARGET_SIZE])
{
    size_t size = TARGET_SIZE;
    int64_t to = (int64_t) pc + 1 + distance;

    if (names->targets && to >= 0 && to < names->n && names->targets[to]) {
        snprintf(buf, size, "L%" PRId64, to);
    } else {
        snprintf(buf, size, "%s%+d", call ? "pc" : "", distance);
    }
    return buf;
}

static const char *
helper_name(const struct names *names, int32_t id, char *buf, size_t size)
{
    const struct vm_helper *helper
        = names->type ? vm_type_helper(names->type, id) : NULL;

    if (helper) {
        return helper->name;
    }
    snprintf(buf, size, (uint32_t) id >= VM_HELPER_OURS ? "0x%" PRIx32
                                                        : "%" PRIu32,
             (uint32_t) id);
    return buf;
}

static void
format_atomic(const struct vm_insn *insn, const struct vm_isa *isa,
              char *buf, size_t size)
{
    const char *const *r = isa->bits == 32 ? regs32 : regs64;
    char a[32];

    address(a, sizeof a, insn->dst, insn->off);
    switch (isa->form) {
    case VM_F_ATOMIC:
        snprintf(buf, size, "lock *(u%d *)(%s) %s %s", isa->bits, a, isa->op,
                 r[insn->src]);
        break;
    case VM_F_FETCH:
        snprintf(buf, size, "%s = atomic_fetch_%s((u%d *)(%s), %s)",
                 r[insn->src], isa->op, isa->bits, a, r[insn->src]);
        break;
    case VM_F_XCHG:
        snprintf(buf, size, "%s = xchg((u%d *)(%s), %s)", r[insn->src],
                 isa->bits, a, r[insn->src]);
        break;
    default:
        snprintf(buf, size, "%s = cmpxchg((u%d *)(%s), %s, %s)", r[0],
                 isa->bits, a, r[0], r[insn->src]);
        break;
    }
}

static void
format_memory(const struct vm_insn *insn, const struct vm_isa *isa,
              char *buf, size_t size)
{
    char a[32];

    switch (isa->form) {
    case VM_F_LDX:
    case VM_F_LDXS:
        snprintf(buf, size, "%s = *(%s *)(%s)", regs64[insn->dst], isa->op,
                 address(a, sizeof a, insn->src, insn->off));
        break;
    case VM_F_ST:
        snprintf(buf, size, "*(%s *)(%s) = %d", isa->op,
                 address(a, sizeof a, insn->dst, insn->off), insn->imm);
        break;
    case VM_F_STX:
        snprintf(buf, size, "*(%s *)(%s) = %s", isa->op,
                 address(a, sizeof a, insn->dst, insn->off),
                 regs64[insn->src]);
        break;
    default:
        format_atomic(insn, isa, buf, size);
        break;
    }
}

static void
format_jump(const struct names *names, const struct vm_insn *insn,
            const struct vm_isa *isa, uint32_t pc)
{
    char *buf = names->buf;
    size_t size = names->size;
    const char *const *r = isa->bits == 32 ? regs32 : regs64;
    int32_t distance = vm_jump_off(insn, isa->form);
    char t[TARGET_SIZE];

    switch (isa->form) {
    case VM_F_JA:
    case VM_F_JA32:
        snprintf(buf, size, "%s %s", isa->op,
                 target(names, pc, distance, false, t));
        break;
    case VM_F_JCC_RR:
        snprintf(buf, size, "if %s %s %s goto %s", r[insn->dst], isa->op,
                 r[insn->src],
                 target(names, pc, distance, false, t));
        break;
    case VM_F_JCC_RI:
        snprintf(buf, size, "if %s %s %d goto %s", r[insn->dst], isa->op,
                 insn->imm,
                 target(names, pc, distance, false, t));
        break;
    case VM_F_CALL:
        snprintf(buf, size, "call %s",
                 helper_name(names, insn->imm, t, sizeof t));
        break;
    case VM_F_CALL_LOCAL:
        snprintf(buf, size, "call %s",
                 target(names, pc, distance, true, t));
        break;
    default:
        snprintf(buf, size, "exit");
        break;
    }
}

static void
format_alu(const struct vm_insn *insn, const struct vm_isa *isa, char *buf,
           size_t size)
{
    const char *const *r = isa->bits == 32 ? regs32 : regs64;

    switch (isa->form) {
    case VM_F_ALU_RR:
        snprintf(buf, size, "%s %s %s", r[insn->dst], isa->op, r[insn->src]);
        break;
    case VM_F_ALU_RI:
        snprintf(buf, size, "%s %s %d", r[insn->dst], isa->op, insn->imm);
        break;
    case VM_F_NEG:
        snprintf(buf, size, "%s = -%s", r[insn->dst], r[insn->dst]);
        break;
    case VM_F_MOVSX:
        snprintf(buf, size, "%s = (%s)%s", r[insn->dst], isa->op,
                 r[insn->src]);
        break;
    default:
        snprintf(buf, size, "%s = %s %s", regs64[insn->dst], isa->op,
                 regs64[insn->dst]);
        break;
    }
}

static void
format_wide(const struct names *names, const struct vm_insn *insn,
            const struct vm_isa *isa, char *buf, size_t size)
{
    char m[16];

    if (isa->form == VM_F_LDDW) {
        snprintf(buf, size, "%s = 0x%" PRIx64 " ll", regs64[insn->dst],
                 vm_lddw_imm(insn));
    } else if (isa->form == VM_F_LDMAP) {
        snprintf(buf, size, "%s = map %s", regs64[insn->dst],
                 map_name(names, insn->imm, m, sizeof m));
    } else {
        snprintf(buf, size, "%s = map_value %s + %" PRIu32,
                 regs64[insn->dst], map_name(names, insn->imm, m, sizeof m),
                 (uint32_t) insn[1].imm);
    }
}

static int
format_insn(const struct names *names, const struct vm_insn *insns,
            uint32_t n, uint32_t pc)
{
    char *buf = names->buf;
    size_t size = names->size;
    const struct vm_insn *insn = &insns[pc];
    int id = vm_insn_id(insn);
    int slots = vm_insn_slots(insn);

    if (id < 0 || pc + slots > n || vm_insn_check(insn, id)) {
        uint64_t raw;

        memcpy(&raw, insn, sizeof raw);
        snprintf(buf, size, ".raw 0x%016" PRIx64, raw);
        return 1;
    }

    const struct vm_isa *isa = &vm_isa[id];
    if (slots == 2) {
        format_wide(names, insn, isa, buf, size);
    } else if (isa->form <= VM_F_END) {
        format_alu(insn, isa, buf, size);
    } else if (isa->form <= VM_F_CMPXCHG) {
        format_memory(insn, isa, buf, size);
    } else {
        format_jump(names, insn, isa, pc);
    }
    return slots;
}

int
vm_disasm_insn(const struct vm_insn *insns, uint32_t n, uint32_t pc,
               const struct vm_prog_type *type, char *buf, size_t size)
{
    const struct names names = { .buf = buf, .size = size, .type = type };

    return format_insn(&names, insns, n, pc);
}

/* Marks the slots that jumps and local calls go to. */
static uint8_t *
find_targets(const struct vm_insn *insns, uint32_t n)
{
    uint8_t *targets = calloc(n + 1, 1);

    for (uint32_t pc = 0; targets && pc < n; pc++) {
        int id = vm_insn_id(&insns[pc]);

        if (id < 0) {
            continue;
        }

        enum vm_form form = vm_isa[id].form;
        int64_t to = (int64_t) pc + 1 + vm_jump_off(&insns[pc], form);

        if ((vm_form_is_jump(form) || form == VM_F_CALL_LOCAL) && to >= 0
            && to < n) {
            targets[to] = 1;
        }
    }
    /* A label in the middle of an instruction cannot be written. */
    for (uint32_t pc = 0; targets && pc + 1 < n; pc++) {
        int id = vm_insn_id(&insns[pc]);

        if (id >= 0 && vm_insn_slots(&insns[pc]) == 2
            && !vm_insn_check(&insns[pc], id)) {
            targets[++pc] = 0;
        }
    }
    return targets;
}

static void
print_notes(FILE *f, const struct vm_disasm_opts *opts, uint32_t pc)
{
    for (uint32_t i = 0; i < opts->n_notes; i++) {
        if (opts->notes[i].start == pc) {
            fputs("; ", f);
            for (const char *s = opts->notes[i].text; *s; s++) {
                fputs(*s == '\n' ? "\n; " : (char[2]) { *s }, f);
            }
            putc('\n', f);
        }
    }
}

char *
vm_disasm(const struct vm_insn *insns, uint32_t n,
          const struct vm_disasm_opts *opts)
{
    static const struct vm_disasm_opts no_opts;
    char *text = NULL;
    size_t size;
    FILE *f = open_memstream(&text, &size);
    uint8_t *targets = NULL;

    opts = opts ? opts : &no_opts;
    if (opts->flags & VM_DISASM_LABELS) {
        targets = find_targets(insns, n);
    }
    if (!f || (opts->flags & VM_DISASM_LABELS && !targets)) {
        if (f) {
            fclose(f);
        }
        free(text);
        return NULL;
    }

    char buf[128];
    const struct names names = { buf, sizeof buf, opts->type, opts->maps,
                                 opts->n_maps, targets, n };
    for (uint32_t pc = 0; pc < n;) {
        int slots = format_insn(&names, insns, n, pc);

        print_notes(f, opts, pc);
        if (targets && targets[pc]) {
            fprintf(f, "L%" PRIu32 ":\n", pc);
        }
        if (opts->flags & VM_DISASM_NUMBERS) {
            fprintf(f, "%5" PRIu32 ": ", pc);
        } else {
            fputs("    ", f);
        }
        if (opts->flags & VM_DISASM_BYTES) {
            fprintf(f, "%-44s ;", buf);
            for (int i = 0; i < slots; i++) {
                const uint8_t *p = (const uint8_t *) &insns[pc + i];

                for (int j = 0; j < 8; j++) {
                    fprintf(f, " %02x", p[j]);
                }
            }
            putc('\n', f);
        } else {
            fprintf(f, "%s\n", buf);
        }
        pc += slots;
    }
    free(targets);
    return fclose(f) ? (free(text), NULL) : text;
}

char *
vm_prog_disasm(const struct vm_prog *prog, uint32_t flags)
{
    return vm_disasm(prog->insns, prog->n_insns,
                     &(struct vm_disasm_opts) {
                         .type = prog->type,
                         .maps = prog->maps,
                         .n_maps = prog->n_maps,
                         .notes = prog->notes,
                         .n_notes = prog->n_notes,
                         .flags = flags,
                     });
}
