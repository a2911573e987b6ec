/* SPDX-License-Identifier: Apache-2.0 */
#include "vm/emit.h"

#include <errno.h>
#include <stdarg.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>

#include "vm/map.h"

void
vm_emit_init(struct vm_emit *e)
{
    memset(e, 0, sizeof *e);
}

void
vm_emit_uninit(struct vm_emit *e)
{
    for (uint32_t i = 0; i < e->n_maps; i++) {
        vm_map_unref(e->maps[i]);
    }
    for (uint32_t i = 0; i < e->n_notes; i++) {
        free((char *) e->notes[i].text);
    }
    free(e->insns);
    free(e->labels);
    free(e->fixups);
    free(e->maps);
    free(e->notes);
    memset(e, 0, sizeof *e);
}

static void
vfail(struct vm_emit *e, int error, const char *format, va_list args)
{
    if (!e->error) {
        e->error = error;
        vsnprintf(e->err.text, sizeof e->err.text, format, args);
    }
}

void
vm_emit_fail(struct vm_emit *e, int error, const char *format, ...)
{
    va_list args;

    va_start(args, format);
    vfail(e, error, format, args);
    va_end(args);
}

/* Makes room for one more element of 'size' bytes in an array of 'n'. */
static bool
grow(struct vm_emit *e, void **array, uint32_t n, uint32_t *allocated,
     size_t size)
{
    if (e->error) {
        return false;
    }
    if (n < *allocated) {
        return true;
    }

    uint32_t more = *allocated ? *allocated * 2 : 32;
    void *p = realloc(*array, more * size);
    if (!p) {
        vm_emit_fail(e, -ENOMEM, "no memory for the program");
        return false;
    }
    *array = p;
    *allocated = more;
    return true;
}

void
vm_emit_insn(struct vm_emit *e, struct vm_insn insn)
{
    if (grow(e, (void **) &e->insns, e->n, &e->allocated,
             sizeof *e->insns)) {
        e->insns[e->n++] = insn;
    }
}

vm_label_t
vm_label(struct vm_emit *e)
{
    if (!grow(e, (void **) &e->labels, e->n_labels, &e->allocated_labels,
              sizeof *e->labels)) {
        return 0;
    }
    e->labels[e->n_labels] = UINT32_MAX;
    return e->n_labels++;
}

void
vm_bind(struct vm_emit *e, vm_label_t label)
{
    if (e->error) {
        return;
    }
    if (label >= e->n_labels || e->labels[label] != UINT32_MAX) {
        vm_emit_fail(e, -EINVAL, "label %u at insn %u is bound already or "
                     "does not exist", label, e->n);
        return;
    }
    e->labels[label] = e->n;
}

static void
add_fixup(struct vm_emit *e, vm_label_t label)
{
    if (grow(e, (void **) &e->fixups, e->n_fixups, &e->allocated_fixups,
             sizeof *e->fixups)) {
        e->fixups[e->n_fixups].insn = e->n;
        e->fixups[e->n_fixups++].label = label;
    }
}

static void
emit(struct vm_emit *e, uint8_t code, uint8_t dst, uint8_t src, int32_t imm)
{
    vm_emit_insn(e, (struct vm_insn) {
        .code = code, .dst = dst, .src = src, .imm = imm,
    });
}

void
vm_emit_alu(struct vm_emit *e, uint8_t op, uint8_t dst, uint8_t src)
{
    emit(e, VM_ALU64 | op | VM_X, dst, src, 0);
}

void
vm_emit_alui(struct vm_emit *e, uint8_t op, uint8_t dst, int32_t imm)
{
    emit(e, VM_ALU64 | op | VM_K, dst, 0, imm);
}

void
vm_emit_alu32(struct vm_emit *e, uint8_t op, uint8_t dst, uint8_t src)
{
    emit(e, VM_ALU | op | VM_X, dst, src, 0);
}

void
vm_emit_alui32(struct vm_emit *e, uint8_t op, uint8_t dst, int32_t imm)
{
    emit(e, VM_ALU | op | VM_K, dst, 0, imm);
}

void
vm_emit_neg(struct vm_emit *e, uint8_t dst)
{
    emit(e, VM_ALU64 | VM_NEG, dst, 0, 0);
}

void
vm_emit_neg32(struct vm_emit *e, uint8_t dst)
{
    emit(e, VM_ALU | VM_NEG, dst, 0, 0);
}

void
vm_emit_salu(struct vm_emit *e, uint8_t op, uint8_t dst, uint8_t src)
{
    vm_emit_insn(e, (struct vm_insn) {
        .code = VM_ALU64 | op | VM_X, .dst = dst, .src = src, .off = 1,
    });
}

void
vm_emit_salu32(struct vm_emit *e, uint8_t op, uint8_t dst, uint8_t src)
{
    vm_emit_insn(e, (struct vm_insn) {
        .code = VM_ALU | op | VM_X, .dst = dst, .src = src, .off = 1,
    });
}

void
vm_emit_mov(struct vm_emit *e, uint8_t dst, uint8_t src)
{
    vm_emit_alu(e, VM_MOV, dst, src);
}

void
vm_emit_mov32(struct vm_emit *e, uint8_t dst, uint8_t src)
{
    vm_emit_alu32(e, VM_MOV, dst, src);
}

void
vm_emit_movi(struct vm_emit *e, uint8_t dst, int32_t imm)
{
    vm_emit_alui(e, VM_MOV, dst, imm);
}

void
vm_emit_movsx(struct vm_emit *e, uint8_t dst, uint8_t src, int bits)
{
    vm_emit_insn(e, (struct vm_insn) {
        .code = VM_ALU64 | VM_MOV | VM_X, .dst = dst, .src = src,
        .off = bits,
    });
}

void
vm_emit_const(struct vm_emit *e, uint8_t dst, uint64_t value)
{
    if (value == (uint64_t) (int64_t) (int32_t) value) {
        vm_emit_movi(e, dst, value);
    } else if (value <= UINT32_MAX) {
        vm_emit_alui32(e, VM_MOV, dst, value);
    } else {
        vm_emit_ldimm64(e, dst, value);
    }
}

static void
emit_lddw(struct vm_emit *e, uint8_t dst, uint8_t src, uint64_t imm)
{
    emit(e, VM_LDDW, dst, src, imm);
    emit(e, 0, 0, 0, imm >> 32);
}

void
vm_emit_ldimm64(struct vm_emit *e, uint8_t dst, uint64_t value)
{
    emit_lddw(e, dst, VM_PSEUDO_IMM64, value);
}

static uint32_t
map_index(struct vm_emit *e, struct vm_map *map)
{
    if (!map) {
        vm_emit_fail(e, -EINVAL, "insn %u: no map", e->n);
        return 0;
    }
    for (uint32_t i = 0; i < e->n_maps; i++) {
        if (e->maps[i] == map) {
            return i;
        }
    }
    if (!grow(e, (void **) &e->maps, e->n_maps, &e->allocated_maps,
              sizeof *e->maps)) {
        return 0;
    }
    e->maps[e->n_maps] = vm_map_ref(map);
    return e->n_maps++;
}

void
vm_emit_ld_map(struct vm_emit *e, uint8_t dst, struct vm_map *map)
{
    emit_lddw(e, dst, VM_PSEUDO_MAP_IDX, map_index(e, map));
}

void
vm_emit_ld_map_value(struct vm_emit *e, uint8_t dst, struct vm_map *map,
                     uint32_t off)
{
    emit_lddw(e, dst, VM_PSEUDO_MAP_IDX_VALUE,
              map_index(e, map) | (uint64_t) off << 32);
}

/* An access of 'size' bytes: 'code' has class and mode. */
static void
emit_mem(struct vm_emit *e, int size, int off, struct vm_insn insn)
{
    uint8_t code;

    switch (size) {
    case 1:
        code = VM_B;
        break;
    case 2:
        code = VM_H;
        break;
    case 4:
        code = VM_W;
        break;
    case 8:
        code = VM_DW;
        break;
    default:
        vm_emit_fail(e, -EINVAL, "insn %u: access of %d bytes", e->n, size);
        return;
    }
    if (off < INT16_MIN || off > INT16_MAX) {
        vm_emit_fail(e, -ERANGE, "insn %u: offset %d does not fit in 16 bits",
                     e->n, off);
        return;
    }
    insn.code |= code;
    insn.off = off;
    vm_emit_insn(e, insn);
}

void
vm_emit_ld(struct vm_emit *e, int size, uint8_t dst, uint8_t base, int off)
{
    emit_mem(e, size, off, (struct vm_insn) {
        .code = VM_LDX | VM_MEM, .dst = dst, .src = base,
    });
}

void
vm_emit_lds(struct vm_emit *e, int size, uint8_t dst, uint8_t base, int off)
{
    if (size == 8) {
        vm_emit_ld(e, size, dst, base, off);
        return;
    }
    emit_mem(e, size, off, (struct vm_insn) {
        .code = VM_LDX | VM_MEMSX, .dst = dst, .src = base,
    });
}

void
vm_emit_st(struct vm_emit *e, int size, uint8_t base, int off, uint8_t src)
{
    emit_mem(e, size, off, (struct vm_insn) {
        .code = VM_STX | VM_MEM, .dst = base, .src = src,
    });
}

void
vm_emit_sti(struct vm_emit *e, int size, uint8_t base, int off, int32_t imm)
{
    emit_mem(e, size, off, (struct vm_insn) {
        .code = VM_ST | VM_MEM, .dst = base, .imm = imm,
    });
}

void
vm_emit_atomic(struct vm_emit *e, int size, int32_t op, uint8_t base,
               int off, uint8_t src)
{
    if (size != 4 && size != 8) {
        vm_emit_fail(e, -EINVAL, "insn %u: atomic of %d bytes", e->n, size);
        return;
    }
    emit_mem(e, size, off, (struct vm_insn) {
        .code = VM_STX | VM_ATOMIC, .dst = base, .src = src, .imm = op,
    });
}

void
vm_emit_be(struct vm_emit *e, uint8_t dst, int bits)
{
    emit(e, VM_ALU | VM_END | VM_X, dst, 0, bits);
}

void
vm_emit_le(struct vm_emit *e, uint8_t dst, int bits)
{
    emit(e, VM_ALU | VM_END | VM_K, dst, 0, bits);
}

void
vm_emit_bswap(struct vm_emit *e, uint8_t dst, int bits)
{
    emit(e, VM_ALU64 | VM_END, dst, 0, bits);
}

void
vm_emit_jcc(struct vm_emit *e, uint8_t op, uint8_t dst, uint8_t src,
            vm_label_t label)
{
    add_fixup(e, label);
    emit(e, VM_JMP | op | VM_X, dst, src, 0);
}

void
vm_emit_jcci(struct vm_emit *e, uint8_t op, uint8_t dst, int32_t imm,
             vm_label_t label)
{
    add_fixup(e, label);
    emit(e, VM_JMP | op | VM_K, dst, 0, imm);
}

void
vm_emit_jcc32(struct vm_emit *e, uint8_t op, uint8_t dst, uint8_t src,
              vm_label_t label)
{
    add_fixup(e, label);
    emit(e, VM_JMP32 | op | VM_X, dst, src, 0);
}

void
vm_emit_jcci32(struct vm_emit *e, uint8_t op, uint8_t dst, int32_t imm,
               vm_label_t label)
{
    add_fixup(e, label);
    emit(e, VM_JMP32 | op | VM_K, dst, 0, imm);
}

void
vm_emit_goto(struct vm_emit *e, vm_label_t label)
{
    add_fixup(e, label);
    emit(e, VM_JMP | VM_JA, 0, 0, 0);
}

void
vm_emit_call(struct vm_emit *e, uint32_t helper)
{
    emit(e, VM_JMP | VM_CALL, 0, VM_PSEUDO_HELPER, helper);
}

void
vm_emit_call_local(struct vm_emit *e, vm_label_t label)
{
    add_fixup(e, label);
    emit(e, VM_JMP | VM_CALL, 0, VM_PSEUDO_CALL, 0);
}

void
vm_emit_exit(struct vm_emit *e)
{
    emit(e, VM_JMP | VM_EXIT, 0, 0, 0);
}

void
vm_emit_note(struct vm_emit *e, const char *format, ...)
{
    char *text;
    va_list args;

    if (!grow(e, (void **) &e->notes, e->n_notes, &e->allocated_notes,
              sizeof *e->notes)) {
        return;
    }
    va_start(args, format);
    int n = vasprintf(&text, format, args);
    va_end(args);
    if (n < 0) {
        vm_emit_fail(e, -ENOMEM, "no memory for a note");
        return;
    }
    e->notes[e->n_notes++] = (struct vm_note) { .start = e->n, .text = text };
}

/* Puts the distance to its label into the jump of a fixup. */
static void
resolve(struct vm_emit *e, const struct vm_fixup *fixup)
{
    struct vm_insn *insn = &e->insns[fixup->insn];
    uint32_t target = (fixup->label < e->n_labels ? e->labels[fixup->label]
                       : UINT32_MAX);

    if (target == UINT32_MAX) {
        vm_emit_fail(e, -EINVAL, "insn %u: the label it jumps to was never "
                     "bound", fixup->insn);
        return;
    }

    int64_t distance = (int64_t) target - fixup->insn - 1;
    if (insn->code == (VM_JMP | VM_CALL)) {
        insn->imm = distance;
    } else if (distance >= INT16_MIN && distance <= INT16_MAX) {
        insn->off = distance;
    } else if (insn->code == (VM_JMP | VM_JA)) {
        insn->code = VM_JMP32 | VM_JA;
        insn->imm = distance;
    } else {
        vm_emit_fail(e, -ERANGE, "insn %u: a conditional jump over %lld "
                     "instructions does not fit in 16 bits", fixup->insn,
                     (long long) distance);
    }
}

int
vm_emit_finish(struct vm_emit *e, struct vm_prog_attr *attr,
               struct vm_err *err)
{
    for (uint32_t i = 0; i < e->n_fixups && !e->error; i++) {
        resolve(e, &e->fixups[i]);
    }
    if (e->error) {
        return vm_err(err, e->error, "%s", e->err.text);
    }
    for (uint32_t i = 0; i < e->n_notes; i++) {
        e->notes[i].end = i + 1 < e->n_notes ? e->notes[i + 1].start : e->n;
    }
    attr->insns = e->insns;
    attr->n_insns = e->n;
    attr->maps = e->maps;
    attr->n_maps = e->n_maps;
    attr->notes = e->notes;
    attr->n_notes = e->n_notes;
    return 0;
}
