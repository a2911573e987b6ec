/* SPDX-License-Identifier: Apache-2.0 */
#ifndef VM_EMIT_H
#define VM_EMIT_H 1

/* A builder for code generators.
 *
 * What: appends instructions, resolves labels, gathers the maps and notes
 * that vm_prog_load() wants.  The first error sticks: later calls do
 * nothing, vm_emit_finish() reports it.
 *
 * Usage:
 *
 *     struct vm_emit e;
 *     vm_emit_init(&e);
 *     vm_label_t miss = vm_label(&e);
 *     vm_emit_note(&e, "table %d", 5);
 *     vm_emit_ld_map(&e, VM_R1, map);
 *     vm_emit_mov(&e, VM_R2, VM_R6);
 *     vm_emit_alui(&e, VM_ADD, VM_R2, 64);
 *     vm_emit_call(&e, VM_HELPER_MAP_LOOKUP);
 *     vm_emit_jcci(&e, VM_JEQ, VM_R0, 0, miss);
 *     ...
 *     vm_bind(&e, miss);
 *     vm_emit_movi(&e, VM_R0, 0);
 *     vm_emit_exit(&e);
 *     error = vm_emit_finish(&e, &attr, &err);     -- fills insns, maps, notes
 *     if (!error) error = vm_prog_load(&attr, &prog, &err);
 *     vm_emit_uninit(&e);
 *
 * Ownership: the builder owns its arrays, which 'attr' borrows until
 * vm_emit_uninit(), and holds references to the maps.
 *
 * Threads: one builder, one thread. */

#include <stdint.h>

#include "vm/err.h"
#include "vm/insn.h"
#include "vm/prog.h"

typedef uint32_t vm_label_t;

struct vm_emit {
    struct vm_insn *insns;
    uint32_t n, allocated;
    uint32_t *labels;           /* Slot of each, or UINT32_MAX. */
    uint32_t n_labels, allocated_labels;
    struct vm_fixup {
        uint32_t insn;
        vm_label_t label;
    } *fixups;
    uint32_t n_fixups, allocated_fixups;
    struct vm_map **maps;
    uint32_t n_maps, allocated_maps;
    struct vm_note *notes;
    uint32_t n_notes, allocated_notes;
    int error;                  /* Sticky, negative errno. */
    struct vm_err err;
};

void vm_emit_init(struct vm_emit *);
void vm_emit_uninit(struct vm_emit *);

/* Slots emitted so far. */
static inline uint32_t
vm_emit_pc(const struct vm_emit *e)
{
    return e->n;
}

/* Labels.  A label is bound once, before or after the jumps to it. */
vm_label_t vm_label(struct vm_emit *);
void vm_bind(struct vm_emit *, vm_label_t);

/* 'op' is VM_ADD ... VM_ARSH, VM_MOV (not VM_NEG, VM_END). */
void vm_emit_alu(struct vm_emit *, uint8_t op, uint8_t dst, uint8_t src);
void vm_emit_alui(struct vm_emit *, uint8_t op, uint8_t dst, int32_t imm);
void vm_emit_alu32(struct vm_emit *, uint8_t op, uint8_t dst, uint8_t src);
void vm_emit_alui32(struct vm_emit *, uint8_t op, uint8_t dst, int32_t imm);
void vm_emit_neg(struct vm_emit *, uint8_t dst);
void vm_emit_neg32(struct vm_emit *, uint8_t dst);
/* Signed division and remainder: 'op' is VM_DIV or VM_MOD. */
void vm_emit_salu(struct vm_emit *, uint8_t op, uint8_t dst, uint8_t src);
void vm_emit_salu32(struct vm_emit *, uint8_t op, uint8_t dst, uint8_t src);

void vm_emit_mov(struct vm_emit *, uint8_t dst, uint8_t src);
void vm_emit_mov32(struct vm_emit *, uint8_t dst, uint8_t src);
void vm_emit_movi(struct vm_emit *, uint8_t dst, int32_t imm);
void vm_emit_movsx(struct vm_emit *, uint8_t dst, uint8_t src, int bits);
/* Any 64-bit constant, by the shortest instruction. */
void vm_emit_const(struct vm_emit *, uint8_t dst, uint64_t value);
/* Always the two-slot form. */
void vm_emit_ldimm64(struct vm_emit *, uint8_t dst, uint64_t value);
/* The map goes into the program's table (once, however often it is used). */
void vm_emit_ld_map(struct vm_emit *, uint8_t dst, struct vm_map *);
void vm_emit_ld_map_value(struct vm_emit *, uint8_t dst, struct vm_map *,
                          uint32_t off);

/* 'size' is 1, 2, 4 or 8 bytes. */
void vm_emit_ld(struct vm_emit *, int size, uint8_t dst, uint8_t base,
                int off);
void vm_emit_lds(struct vm_emit *, int size, uint8_t dst, uint8_t base,
                 int off);
void vm_emit_st(struct vm_emit *, int size, uint8_t base, int off,
                uint8_t src);
void vm_emit_sti(struct vm_emit *, int size, uint8_t base, int off,
                 int32_t imm);
/* 'op' is VM_ADD, VM_OR, VM_AND, VM_XOR, those with VM_FETCH, VM_XCHG or
 * VM_CMPXCHG; 'size' 4 or 8. */
void vm_emit_atomic(struct vm_emit *, int size, int32_t op, uint8_t base,
                    int off, uint8_t src);

/* 'bits' is 16, 32 or 64. */
void vm_emit_be(struct vm_emit *, uint8_t dst, int bits);
void vm_emit_le(struct vm_emit *, uint8_t dst, int bits);
void vm_emit_bswap(struct vm_emit *, uint8_t dst, int bits);

/* 'op' is VM_JEQ ... VM_JSLE. */
void vm_emit_jcc(struct vm_emit *, uint8_t op, uint8_t dst, uint8_t src,
                 vm_label_t);
void vm_emit_jcci(struct vm_emit *, uint8_t op, uint8_t dst, int32_t imm,
                  vm_label_t);
void vm_emit_jcc32(struct vm_emit *, uint8_t op, uint8_t dst, uint8_t src,
                   vm_label_t);
void vm_emit_jcci32(struct vm_emit *, uint8_t op, uint8_t dst, int32_t imm,
                    vm_label_t);
/* 'goto', widened to 'gotol' when it has to be. */
void vm_emit_goto(struct vm_emit *, vm_label_t);

void vm_emit_call(struct vm_emit *, uint32_t helper);
void vm_emit_call_local(struct vm_emit *, vm_label_t);
void vm_emit_exit(struct vm_emit *);

/* Any instruction as it is. */
void vm_emit_insn(struct vm_emit *, struct vm_insn);

/* A remark on the instructions from here to the next note or the end. */
void vm_emit_note(struct vm_emit *, const char *format, ...)
    __attribute__((format(printf, 2, 3)));

/* Makes 'error' the sticky one, if there is none yet. */
void vm_emit_fail(struct vm_emit *, int error, const char *format, ...)
    __attribute__((format(printf, 3, 4)));

/* Resolves labels and sets attr's insns, n_insns, maps, n_maps, notes and
 * n_notes; the rest of 'attr' is the caller's.  Returns the sticky error, if
 * any, with its sentence in 'err'.  Call it once. */
int vm_emit_finish(struct vm_emit *, struct vm_prog_attr *attr,
                   struct vm_err *err);

#endif /* vm/emit.h */
