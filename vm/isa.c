/* SPDX-License-Identifier: Apache-2.0 */
#include "vm/insn.h"

#include <stddef.h>

const struct vm_isa vm_isa[VM_N_INSNS] = {
#define VM_ISA(ID, CODE, SEL, SELVAL, FORM, BITS, OP, VER, GROUP)             \
    [VM_I_##ID] = {                                                           \
        .name = #ID,                                                          \
        .op = OP,                                                             \
        .code = CODE,                                                         \
        .sel = VM_SEL_##SEL,                                                  \
        .form = VM_F_##FORM,                                                  \
        .bits = BITS,                                                         \
        .cpu = VER,                                                           \
        .group = VM_G_##GROUP,                                                \
        .selval = SELVAL,                                                     \
    },
#include "vm/isa.def"
};

/* Rows by opcode: the first row of each opcode, and the next row of the same
 * opcode after each row; ids plus 1, 0 ends.  Filled before main(). */
static uint8_t first_row[256];
static uint8_t next_row[VM_N_INSNS];

_Static_assert(VM_N_INSNS < 255, "row numbers fit in a byte");

static void __attribute__((constructor))
index_rows(void)
{
    for (int id = VM_N_INSNS - 1; id >= 0; id--) {
        next_row[id] = first_row[vm_isa[id].code];
        first_row[vm_isa[id].code] = id + 1;
    }
}

static bool
selected(const struct vm_insn *insn, const struct vm_isa *isa)
{
    switch ((enum vm_sel) isa->sel) {
    case VM_SEL_NONE:
        return true;
    case VM_SEL_SRC:
        return insn->src == isa->selval;
    case VM_SEL_OFF:
        return insn->off == isa->selval;
    case VM_SEL_IMM:
        return insn->imm == isa->selval;
    }
    return false;
}

int
vm_insn_id(const struct vm_insn *insn)
{
    for (int row = first_row[insn->code]; row; row = next_row[row - 1]) {
        if (selected(insn, &vm_isa[row - 1])) {
            return row - 1;
        }
    }
    return -1;
}

/* Which fields a form uses. */
enum {
    F_DST = 1 << 0,             /* dst is a register ... */
    F_DST_W = 1 << 1,           /* ... that is written. */
    F_SRC = 1 << 2,
    F_SRC_W = 1 << 3,
    F_OFF = 1 << 4,
    F_IMM = 1 << 5,
    F_TWO = 1 << 6,             /* A second slot, */
    F_IMM2 = 1 << 7,            /* whose imm is used. */
};

static const uint8_t form_fields[VM_N_FORMS] = {
    [VM_F_ALU_RR] = F_DST | F_DST_W | F_SRC,
    [VM_F_ALU_RI] = F_DST | F_DST_W | F_IMM,
    [VM_F_NEG] = F_DST | F_DST_W,
    [VM_F_MOVSX] = F_DST | F_DST_W | F_SRC,
    [VM_F_END] = F_DST | F_DST_W,
    [VM_F_LDX] = F_DST | F_DST_W | F_SRC | F_OFF,
    [VM_F_LDXS] = F_DST | F_DST_W | F_SRC | F_OFF,
    [VM_F_ST] = F_DST | F_OFF | F_IMM,
    [VM_F_STX] = F_DST | F_SRC | F_OFF,
    [VM_F_ATOMIC] = F_DST | F_SRC | F_OFF,
    [VM_F_FETCH] = F_DST | F_SRC | F_SRC_W | F_OFF,
    [VM_F_XCHG] = F_DST | F_SRC | F_SRC_W | F_OFF,
    [VM_F_CMPXCHG] = F_DST | F_SRC | F_OFF,
    [VM_F_JA] = F_OFF,
    [VM_F_JA32] = F_IMM,
    [VM_F_JCC_RR] = F_DST | F_SRC | F_OFF,
    [VM_F_JCC_RI] = F_DST | F_OFF | F_IMM,
    [VM_F_CALL] = F_IMM,
    [VM_F_CALL_LOCAL] = F_IMM,
    [VM_F_EXIT] = 0,
    [VM_F_LDDW] = F_DST | F_DST_W | F_IMM | F_TWO | F_IMM2,
    [VM_F_LDMAP] = F_DST | F_DST_W | F_IMM | F_TWO,
    [VM_F_LDMAPVAL] = F_DST | F_DST_W | F_IMM | F_TWO | F_IMM2,
};

const char *
vm_insn_check(const struct vm_insn *insn, int id)
{
    const struct vm_isa *isa = &vm_isa[id];
    unsigned int uses = form_fields[isa->form];

    if (uses & F_DST) {
        if (insn->dst >= VM_N_REGS) {
            return "destination register must be r0 to r10";
        }
        if (uses & F_DST_W && insn->dst == VM_FP) {
            return "r10, the frame pointer, cannot be written";
        }
    } else if (insn->dst) {
        return "destination register must be 0";
    }
    if (uses & F_SRC) {
        if (insn->src >= VM_N_REGS) {
            return "source register must be r0 to r10";
        }
        if (uses & F_SRC_W && insn->src == VM_FP) {
            return "r10, the frame pointer, cannot be written";
        }
    } else if (isa->sel != VM_SEL_SRC && insn->src) {
        return "source register must be 0";
    }
    if (!(uses & F_OFF) && isa->sel != VM_SEL_OFF && insn->off) {
        return "offset must be 0";
    }
    if (!(uses & F_IMM) && isa->sel != VM_SEL_IMM && insn->imm) {
        return "immediate must be 0";
    }
    if (uses & F_TWO) {
        if (insn[1].code || insn[1].dst || insn[1].src || insn[1].off) {
            return "the second slot must be 0 but for its immediate";
        }
        if (!(uses & F_IMM2) && insn[1].imm) {
            return "the second slot's immediate must be 0";
        }
    }
    return NULL;
}
