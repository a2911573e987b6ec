/* SPDX-License-Identifier: Apache-2.0 */

/* Abstract states: what the verifier knows at one point of one path.
 *
 * A state is the registers and the stack of each active frame, and the
 * resources that the program must still give back.  The walk (walk.c) owns
 * its current state, keeps copies at branches and at join points, and drops
 * a path when a copy made earlier at the same place covers it
 * (vstate_covers()).
 *
 * Ownership: a state owns its frames, a frame its slots.  Maps are borrowed
 * from the program.
 * Threads: private to one verification. */

#ifndef VM_VERIFIER_STATE_H
#define VM_VERIFIER_STATE_H 1

#include <stdbool.h>
#include <stddef.h>
#include <stdint.h>
#include "vm/insn.h"
#include "vm/verifier/scalar.h"

struct vm_map;

/* What a register holds. */
enum vtype {
    V_NONE,                     /* Nothing that may be read. */
    V_SCALAR,                   /* A number: 'num'. */
    V_CTX,                      /* The context. */
    V_STACK,                    /* Stack of frame 'frame', from its top. */
    V_PKT,                      /* Packet data. */
    V_PKT_META,                 /* Metadata before the packet. */
    V_PKT_END,                  /* End of the packet. */
    V_MAP,                      /* A map. */
    V_MAP_VALUE,                /* A value of 'map'. */
    V_BLOCK,                    /* Cold block of the context. */
    V_MEM,                      /* Memory that a helper returned. */
};

/* Pointers are base + off + num, 'num' being the variable part. */
struct vreg {
    uint8_t type;               /* enum vtype. */
    bool maybe_null;            /* Pointer or 0; 'id' names the question. */
    bool writable;              /* V_BLOCK. */
    uint8_t frame;              /* V_STACK. */
    uint8_t beyond;             /* V_PKT: 2 if a comparison has shown that it
                                 * is past the packet's end, 1: or at it. */
    int32_t off;                /* Constant part of a pointer's offset. */
    uint32_t id;                /* Equal ids (not 0): the same unknown number
                                 * (scalars, variable parts of packet
                                 * pointers) or the same null check. */
    uint32_t ref;               /* Resource to give back, or 0. */
    uint32_t size;              /* V_MAP_VALUE, V_BLOCK, V_MEM: bytes.
                                 * V_PKT, V_PKT_META: bytes after base + num
                                 * that a comparison has proved.
                                 * V_NONE: 1 if loaded from stack that
                                 * nothing had written. */
    const struct vm_map *map;   /* V_MAP, V_MAP_VALUE. */
    uint32_t map_index;         /* V_MAP: its number in the program plus 1,
                                 * or 0 (inner map). */
    struct scalar num;
};

/* Eight bytes of stack. */
enum vbyte {
    VB_NONE,                    /* Never written. */
    VB_MISC,                    /* Some number. */
    VB_ZERO,                    /* Zero. */
    VB_SPILL,                   /* Part of 'reg', stored whole; of a 4-byte
                                 * spill, bytes 0 to 3. */
};

struct vslot {
    uint8_t bytes[8];           /* enum vbyte. */
    struct vreg reg;            /* Valid if bytes[0] is VB_SPILL. */
};

#define V_STACK_SLOTS (VM_STACK_SIZE / 8)

struct vframe {
    struct vreg regs[VM_N_REGS];
    uint32_t subprog;
    uint32_t call_pc;           /* The call that made this frame. */
    uint32_t n_slots;           /* Allocated, from the top of the stack. */
    struct vslot *slots;
};

#define V_MAX_REFS 8

struct vstate {
    struct vframe *frames[VM_MAX_FRAMES];
    uint32_t n_frames;
    uint32_t refs[V_MAX_REFS];  /* Resources held. */
    uint32_t n_refs;
};

static inline struct vframe *
vstate_frame(const struct vstate *s)
{
    return s->frames[s->n_frames - 1];
}

static inline struct vreg *
vstate_reg(const struct vstate *s, int regno)
{
    return &vstate_frame(s)->regs[regno];
}

static inline bool
vreg_is_pointer(const struct vreg *r)
{
    return r->type != V_NONE && r->type != V_SCALAR;
}

static inline bool
vreg_is_packet(const struct vreg *r)
{
    return r->type == V_PKT || r->type == V_PKT_META;
}

/* True if the variable part of pointer 'r' is known to be zero. */
static inline bool
vreg_is_fixed(const struct vreg *r)
{
    return scalar_is_const(&r->num) && !r->num.bits.value;
}

struct vreg vreg_none(void);
struct vreg vreg_scalar(struct scalar);
struct vreg vreg_pointer(enum vtype);

/* What is "r3" for people: "r3 is a packet pointer at offset 14, 20 bytes
 * proved".  Writes at most 'size' bytes. */
void vreg_describe(const struct vreg *, char *buf, size_t size);

/* A state with one frame, r10 set, nothing else readable; or false without
 * memory. */
bool vstate_init(struct vstate *);
bool vstate_copy(struct vstate *dst, const struct vstate *src);
void vstate_uninit(struct vstate *);
/* Adds a frame with r10 set; false without memory. */
bool vstate_push_frame(struct vstate *, uint32_t subprog, uint32_t call_pc);
void vstate_pop_frame(struct vstate *);

/* Slot 'index' (0: the highest eight bytes) of 'f', made if need be; null
 * without memory. */
struct vslot *vframe_slot(struct vframe *f, uint32_t index);
/* The same, or null if it was never made (its bytes are VB_NONE). */
const struct vslot *vframe_slot_peek(const struct vframe *f, uint32_t index);

/* True if 's' holds a spilled register. */
static inline bool
vslot_is_spill(const struct vslot *s)
{
    return s->bytes[0] == VB_SPILL;
}

/* Calls 'fn' for each register and each spilled register of each frame. */
void vstate_for_each_reg(struct vstate *,
                         void (*fn)(struct vreg *, void *aux), void *aux);

/* Ids that name only one register say nothing: drops them, so that the state
 * covers more. */
void vstate_forget_single_ids(struct vstate *);

/* What of a frame matters from one instruction on (cfg.c). */
struct vlive {
    uint16_t regs;              /* May be read before it is written. */
    uint16_t precise;           /* Of these: its number may reach an address,
                                 * a size, a branch, a helper or the result. */
    uint64_t slots;             /* The same for stack slots. */
    uint64_t slots_precise;
};

/* Drops what does not matter, so that it keeps no ids alive. */
void vstate_forget_dead(struct vstate *, const struct vlive[VM_MAX_FRAMES]);

/* True if everything that can happen from 'now' was already considered from
 * 'old', both at the same instruction; 'live' says for each frame what
 * matters.  With 'exact', only if they are equal (then the program has come
 * round without change: an endless loop). */
bool vstate_covers(const struct vstate *old, const struct vstate *now,
                   const struct vlive live[VM_MAX_FRAMES], bool exact);

#endif /* vm/verifier/state.h */
