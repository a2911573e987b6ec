/* SPDX-License-Identifier: Apache-2.0 */
#ifndef VM_PROG_INTERNAL_H
#define VM_PROG_INTERNAL_H 1

/* Between prog.c, validate.c, decode.c and the interpreters; nobody else
 * includes it. */

#include "vm/prog.h"

/* One decoded slot.  The array has as many elements as the program has
 * slots, so that program counters are the same in both. */
struct vm_op {
    uint16_t id;                /* enum vm_insn_id, or VM_OP_*. */
    uint8_t dst, src;
    int32_t off;                /* Jumps and local calls: distance. */
    union {
        uint64_t imm;           /* Sign-extended; VM_LDDW: all of it. */
        void *ptr;              /* Map, or address in a map's value. */
        const struct vm_helper *helper;
    };
};

/* Calls that the engines implement, and the slot that is never reached. */
enum {
    VM_OP_TAIL_CALL = VM_N_INSNS,
    VM_OP_GOTO,
    VM_OP_YIELD,
    VM_OP_NONE,
    VM_N_OPS
};

/* Functions of a valid program.  The array is malloc'ed. */
int vm_find_subprogs(const struct vm_insn *, uint32_t n,
                     struct vm_subprog **, uint32_t *n_subprogs);

/* Decodes a valid program (insns, maps, type and, if it is verified, aux are
 * set) to a malloc'ed array, with the context's real offsets if 'fixed'. */
struct vm_op *vm_decode(const struct vm_prog *, bool fixed);

/* The turn of 'ctx', of a type that has them. */
static inline struct vm_turn *
vm_turn(const struct vm_prog_type *type, void *ctx)
{
    return (void *) ((uint8_t *) ctx + type->turn_off);
}

/* The same if an interpreter's burst runs it; else NULL. */
static inline struct vm_turn *
vm_turn_active(const struct vm_prog_type *type, void *ctx)
{
    struct vm_turn *turn = type->gen_off != VM_NO_GEN ? vm_turn(type, ctx)
                                                      : NULL;

    return turn && turn->prog ? turn : NULL;
}

vm_run_fn vm_interp_checked;
vm_run_fn vm_interp_fast;

#endif /* vm/prog-internal.h */
