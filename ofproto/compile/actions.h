/* SPDX-License-Identifier: Apache-2.0 */

/* Actions: from lists of ofpacts to programs.
 *
 * What: a list of actions has a *shape* (which actions, and the constants
 * that decide what the code looks like) and *parameters* (ports, values,
 * masks: a block of memory that each flow has of its own).  Compiling goes in
 * three steps, each a function of the action's ops (actions.def):
 *
 *   check  judges one action
 *   plan   appends its shape and its parameters
 *   emit   writes its code.  Of the action it may look only at what plan made
 *          part of the shape: the code serves every list of that shape.
 *          Parameters are taken in the order in which plan gave them.
 *
 * Registers in action programs: r6 the context, r7 the parameters, r8 and r9
 * free within an action.
 *
 * Segments: where a list goes on after something that returns (resubmit,
 * clone), the rest is a program of its own, entered through a frame.
 *
 * Threads: a plan and a generator belong to their caller. */

#ifndef OFPROTO_COMPILE_ACTIONS_H
#define OFPROTO_COMPILE_ACTIONS_H 1

#include <stdbool.h>
#include <stddef.h>
#include <stdint.h>
#include "openvswitch/ofp-errors.h"
#include "openvswitch/ofpbuf.h"
#include "datapath/abi.h"
#include "vm/emit.h"
#include "ofproto/compile/compile.h"

struct ofpact;

/* Shape and parameters of a list. */
struct of_plan {
    struct ofpbuf shape;        /* Bytes: what decides the code. */
    struct ofpbuf params;       /* The block; size a multiple of 8. */
    enum of_parse_level parse;  /* What PARSE must fill for it. */
    bool in_set;                /* Inside write_actions. */
    bool late;                  /* Parameters change until insertion. */
    uint16_t number;            /* Actions so far, noops and those inside
                                 * write_actions left out. */
    uint64_t shape_stub[16];    /* What short lists need. */
    uint64_t params_stub[32];
};

/* The plan must not be moved afterwards. */
void of_plan_init(struct of_plan *);
void of_plan_uninit(struct of_plan *);

/* For plan functions. */
void of_plan_u8(struct of_plan *, uint8_t);
void of_plan_u16(struct of_plan *, uint16_t);
/* 'size' is 1, 2, 4 or a multiple of 8, which also aligns. */
size_t of_plan_param(struct of_plan *, const void *, size_t size);
void of_plan_need(struct of_plan *, enum of_parse_level);

/* Judges and plans a whole list. */
enum ofperr of_plan_list(struct of_plan *, const struct ofpact *, size_t len,
                         enum of_code_kind);

/* Where generated programs go: shape.c. */
struct of_segments;

/* The generator. */
struct of_gen {
    struct vm_emit e;           /* The segment being written. */
    struct of_segments *segments;
    uint32_t slot;              /* Its slot. */
    size_t params_used;         /* Parameters taken so far. */
    size_t params_size;         /* All there are. */
    bool last;                  /* The action is the last of its list. */
    bool in_set;                /* The program is an action set's. */
    uint16_t number;            /* As in struct of_plan. */
    bool ended;                 /* Control does not reach here. */
    int error;                  /* Sticky, negative errno. */
};

/* Writes the programs for a list that of_plan_list() has accepted; the first
 * segment is where the list starts.  0 or a negative errno. */
int of_gen_list(struct of_segments *, const struct ofpact *, size_t len,
                size_t params_size, enum of_code_kind);

/* For emit functions. */

/* Offset of the next parameter. */
int of_gen_param(struct of_gen *, size_t size);
/* Ends the segment and begins the one in 'slot', which frames resume. */
void of_gen_next_segment(struct of_gen *, uint32_t slot);
/* A fresh slot for a segment that is written later, or 0 (sticky error). */
uint32_t of_gen_new_slot(struct of_gen *);
/* The actions of a nested list; the last of them is in tail position if
 * 'tail'. */
void of_gen_nested(struct of_gen *, const struct ofpact *, size_t len,
                   bool tail);
/* A program of its own that executes 'n' actions of an action set and goes
 * on with END; returns its slot. */
uint32_t of_gen_set_program(struct of_gen *, const struct ofpact *const *,
                            size_t n);
/* r1 = context; call. */
void of_gen_call(struct of_gen *, uint32_t helper);
/* Goes to the program END: the list is through. */
/* Whether it outputs to a port that is no reserved one, whose number is its
 * first parameter. */
bool of_action_is_plain_output(const struct ofpact *);

void of_gen_end(struct of_gen *);
/* r0 is the next slot, or 0 when the packet is finished. */
void of_gen_next(struct of_gen *);

/* Tail call of a constant slot, and of the slot in r2; they do not return. */
void of_emit_goto(struct vm_emit *, uint32_t slot);
void of_emit_goto_r2(struct vm_emit *);

struct of_action_ops {
    enum ofperr (*check)(const struct ofpact *);        /* May be null. */
    void (*plan)(struct of_plan *, const struct ofpact *);
    void (*emit)(struct of_gen *, const struct ofpact *);
};

#define OF_ACTION(ID, OPS, KIND) extern const struct of_action_ops \
    of_act_##OPS;
#define OF_REFUSED(ID, ERROR)
#include "ofproto/compile/actions.def"
#undef OF_ACTION
#undef OF_REFUSED

/* DP_ASET_* of an action in an action set, or -1. */
int of_action_aset_kind(const struct ofpact *);

/* Whether 'a' does nothing when executed. */
bool of_action_is_noop(const struct ofpact *a);

/* set.c: 0, or the error for an action that writes or reads 'mf'. */
struct mf_field;
enum ofperr of_check_writable(const struct mf_field *);
enum ofperr of_check_readable(const struct mf_field *);

/* set.c: writes to VLAN fields go through vlan.c. */
struct of_field;
void of_emit_vlan_write(struct vm_emit *, const struct of_field *,
                        unsigned ofs, unsigned n_bits, uint8_t src);
/* Parameters: bits to keep, then bits to add, both in network order. */
void of_emit_vlan_merge(struct of_gen *);

/* control.c: a resubmit; null: to table 0 with the packet's own input port. */
struct ofpact_resubmit;
void of_emit_resubmit(struct of_gen *, const struct ofpact_resubmit *);

/* output.c: packet-ins.  Parameters: the block for the helper CONTROLLER. */
struct of_controller_block;
void of_plan_controller(struct of_plan *, const struct of_controller_block *,
                        const void *userdata);
void of_emit_controller(struct of_gen *, uint16_t userdata_len);

#endif /* ofproto/compile/actions.h */
