/* SPDX-License-Identifier: Apache-2.0 */
#ifndef VM_INSN_H
#define VM_INSN_H 1

/* eBPF instructions (RFC 9669): the encoding, and what vm/isa.def says of
 * each one.
 *
 * What: `struct vm_insn` is the wire form, 8 bytes, the same as Linux's
 * struct bpf_insn on a little-endian host.  An instruction's *id* (enum
 * vm_insn_id, VM_I_ADD64_RR ...) names one row of isa.def: where one opcode
 * stands for several instructions (division and signed division, moves and
 * sign-extending moves, the atomics), each has an id of its own.
 *
 * Usage: decode once with vm_insn_id(), then index vm_isa[] or a table of
 * your own that is built with the same X-macro:
 *
 *     static const emit_fn *emit[VM_N_INSNS] = {
 *     #define VM_ISA(ID, ...) [VM_I_##ID] = emit_##ID,
 *     #include "vm/isa.def"
 *     };
 *
 * so that a row without its code does not compile.
 *
 * Threads: constant data; everything here may be called from anywhere. */

#include <stdbool.h>
#include <stdint.h>

struct vm_insn {
    uint8_t code;               /* Opcode: class, source or size, operation. */
    uint8_t dst:4;              /* Destination register. */
    uint8_t src:4;              /* Source register, or a pseudo value. */
    int16_t off;                /* Offset, jump distance, or selector. */
    int32_t imm;                /* Constant, jump distance, helper number. */
};

_Static_assert(sizeof(struct vm_insn) == 8, "an instruction is 8 bytes");
_Static_assert(__BYTE_ORDER__ == __ORDER_LITTLE_ENDIAN__,
               "the instruction layout is that of a little-endian host");

/* Registers. */
enum vm_reg {
    VM_R0,                      /* Result of helpers and of the program. */
    VM_R1, VM_R2, VM_R3, VM_R4, VM_R5,  /* Arguments, scratched by calls. */
    VM_R6, VM_R7, VM_R8, VM_R9, /* Kept across calls. */
    VM_R10,                     /* Frame pointer, read-only. */
    VM_N_REGS,
    VM_FP = VM_R10
};

#define VM_STACK_SIZE 512       /* Bytes of stack a frame. */
#define VM_MAX_FRAMES 8         /* Local calls: frames, the first included. */

/* code & VM_CLASS_MASK. */
#define VM_CLASS_MASK 0x07
#define VM_LD    0x00
#define VM_LDX   0x01
#define VM_ST    0x02
#define VM_STX   0x03
#define VM_ALU   0x04           /* 32 bits, upper half zeroed. */
#define VM_JMP   0x05
#define VM_JMP32 0x06
#define VM_ALU64 0x07
#define VM_CLASS(CODE) ((CODE) & VM_CLASS_MASK)

/* Loads and stores: size and mode. */
#define VM_SIZE_MASK 0x18
#define VM_W  0x00
#define VM_H  0x08
#define VM_B  0x10
#define VM_DW 0x18
#define VM_MODE_MASK 0xe0
#define VM_IMM    0x00
#define VM_MEM    0x60
#define VM_MEMSX  0x80
#define VM_ATOMIC 0xc0

/* ALU and jumps: source bit and operation. */
#define VM_K 0x00               /* Second operand is 'imm'. */
#define VM_X 0x08               /* Second operand is 'src'. */
#define VM_OP_MASK 0xf0
#define VM_ADD  0x00
#define VM_SUB  0x10
#define VM_MUL  0x20
#define VM_DIV  0x30
#define VM_OR   0x40
#define VM_AND  0x50
#define VM_LSH  0x60
#define VM_RSH  0x70
#define VM_NEG  0x80
#define VM_MOD  0x90
#define VM_XOR  0xa0
#define VM_MOV  0xb0
#define VM_ARSH 0xc0
#define VM_END  0xd0

#define VM_JA   0x00
#define VM_JEQ  0x10
#define VM_JGT  0x20
#define VM_JGE  0x30
#define VM_JSET 0x40
#define VM_JNE  0x50
#define VM_JSGT 0x60
#define VM_JSGE 0x70
#define VM_CALL 0x80
#define VM_EXIT 0x90
#define VM_JLT  0xa0
#define VM_JLE  0xb0
#define VM_JSLT 0xc0
#define VM_JSLE 0xd0

/* 'imm' of VM_STX | VM_ATOMIC: an ALU operation, VM_FETCH or not, or one of
 * the two exchanges. */
#define VM_FETCH   0x01
#define VM_XCHG    0xe1
#define VM_CMPXCHG 0xf1

#define VM_LDDW (VM_LD | VM_IMM | VM_DW)        /* Two slots. */

/* 'src' of VM_LDDW.  The other values of Linux (file descriptors, BTF ids)
 * mean nothing here and are refused. */
#define VM_PSEUDO_IMM64         0       /* dst = 64-bit constant. */
#define VM_PSEUDO_MAP_IDX       5       /* dst = the program's map 'imm'. */
#define VM_PSEUDO_MAP_IDX_VALUE 6       /* dst = address of the only value of
                                         * array map 'imm', plus the second
                                         * slot's 'imm'. */
/* 'src' of VM_JMP | VM_CALL. */
#define VM_PSEUDO_HELPER 0      /* 'imm' is a helper's number. */
#define VM_PSEUDO_CALL   1      /* 'imm' is the distance to a local function,
                                 * counted from the next instruction. */

/* Which field, beside the opcode, tells an instruction from its siblings. */
enum vm_sel {
    VM_SEL_NONE,
    VM_SEL_SRC,
    VM_SEL_OFF,
    VM_SEL_IMM
};

/* Operand forms: which fields an instruction uses (all others must be zero,
 * except for its selector) and how its text looks. */
enum vm_form {
    VM_F_ALU_RR,                /* r1 += r2       dst src */
    VM_F_ALU_RI,                /* r1 += 5        dst imm */
    VM_F_NEG,                   /* r1 = -r1       dst */
    VM_F_MOVSX,                 /* r1 = (s8)r2    dst src, off selects */
    VM_F_END,                   /* r1 = be16 r1   dst, imm selects */
    VM_F_LDX,                   /* r1 = *(u32 *)(r2 + 4)    dst src off */
    VM_F_LDXS,                  /* r1 = *(s32 *)(r2 + 4)    dst src off */
    VM_F_ST,                    /* *(u32 *)(r1 + 4) = 5     dst off imm */
    VM_F_STX,                   /* *(u32 *)(r1 + 4) = r2    dst src off */
    VM_F_ATOMIC,                /* lock *(u32 *)(r1 + 4) += r2 */
    VM_F_FETCH,                 /* r2 = atomic_fetch_add((u64 *)(r1), r2) */
    VM_F_XCHG,                  /* r2 = xchg((u64 *)(r1 + 4), r2) */
    VM_F_CMPXCHG,               /* r0 = cmpxchg((u64 *)(r1 + 4), r0, r2) */
    VM_F_JA,                    /* goto L         off */
    VM_F_JA32,                  /* gotol L        imm */
    VM_F_JCC_RR,                /* if r1 > r2 goto L        dst src off */
    VM_F_JCC_RI,                /* if r1 > 5 goto L         dst imm off */
    VM_F_CALL,                  /* call name      imm */
    VM_F_CALL_LOCAL,            /* call L         imm, src selects */
    VM_F_EXIT,                  /* exit */
    VM_F_LDDW,                  /* r1 = 5 ll      dst imm, two slots */
    VM_F_LDMAP,                 /* r1 = map 0     dst imm, two slots */
    VM_F_LDMAPVAL,              /* r1 = map_value 0 + 8     dst imm imm2 */
    VM_N_FORMS
};

/* Conformance groups of RFC 9669 section 2.4. */
enum vm_group {
    VM_G_BASE32,
    VM_G_BASE64,
    VM_G_DIVMUL32,
    VM_G_DIVMUL64,
    VM_G_ATOMIC32,
    VM_G_ATOMIC64,
    VM_N_GROUPS
};

/* VM_I_*: the rows of isa.def. */
enum vm_insn_id {
#define VM_ISA(ID, CODE, SEL, SELVAL, FORM, BITS, OP, VER, GROUP) VM_I_##ID,
#include "vm/isa.def"
    VM_N_INSNS
};

struct vm_isa {
    const char *name;           /* "ADD64_RR": the row's id. */
    const char *op;             /* Operator in the text: "+=", "s>", "be16". */
    uint8_t code;
    uint8_t sel;                /* enum vm_sel. */
    uint8_t form;               /* enum vm_form. */
    uint8_t bits;               /* Width of the operation or access. */
    uint8_t cpu;                /* LLVM's -mcpu=v1 to v4 that introduced it. */
    uint8_t group;              /* enum vm_group. */
    int32_t selval;             /* Value of the selector field. */
};

extern const struct vm_isa vm_isa[VM_N_INSNS];

/* The id of 'insn', judged by opcode and selector alone; -1 if there is no
 * such instruction.  Fields that must be zero are not looked at: see
 * vm_insn_check(). */
int vm_insn_id(const struct vm_insn *);

/* Whether fields that 'insn' (of that id) does not use are zero and its
 * registers exist and may be written.  Returns NULL, or what is wrong as a
 * constant phrase such as "offset must be 0".  The second slot of a
 * two-slot instruction is insn[1], which must exist. */
const char *vm_insn_check(const struct vm_insn *insn, int id);

/* 2 for VM_LDDW, 1 for all others. */
static inline int
vm_insn_slots(const struct vm_insn *insn)
{
    return insn->code == VM_LDDW ? 2 : 1;
}

/* Whether an instruction of 'form' reads src as a register. */
static inline bool
vm_form_uses_src(enum vm_form form)
{
    return (form == VM_F_ALU_RR || form == VM_F_MOVSX || form == VM_F_LDX
            || form == VM_F_LDXS || form == VM_F_STX || form == VM_F_ATOMIC
            || form == VM_F_FETCH || form == VM_F_XCHG
            || form == VM_F_CMPXCHG || form == VM_F_JCC_RR);
}

/* Whether 'form' is a conditional or unconditional jump (not a call). */
static inline bool
vm_form_is_jump(enum vm_form form)
{
    return (form == VM_F_JA || form == VM_F_JA32 || form == VM_F_JCC_RR
            || form == VM_F_JCC_RI);
}

/* Distance of the jump or local call 'insn' of 'form', from the next
 * instruction, in slots. */
static inline int32_t
vm_jump_off(const struct vm_insn *insn, enum vm_form form)
{
    return (form == VM_F_JA32 || form == VM_F_CALL_LOCAL
            ? insn->imm : insn->off);
}

/* Value of a VM_LDDW of src VM_PSEUDO_IMM64. */
static inline uint64_t
vm_lddw_imm(const struct vm_insn insn[2])
{
    return (uint32_t) insn[0].imm | (uint64_t) (uint32_t) insn[1].imm << 32;
}

#endif /* vm/insn.h */
