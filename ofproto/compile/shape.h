/* SPDX-License-Identifier: Apache-2.0 */

/* Shapes: the programs that lists of actions share.
 *
 * What: a shape is the part of a list of actions that decides its code, as a
 * string of bytes (actions.h).  Each shape in use has its programs, loaded
 * once a process, in slots of their own that are the same in all bridges.
 *
 * Ownership: each `struct of_code` holds a reference to its shape.  When the
 * last is gone the programs leave the slots after quiescence.
 *
 * Threads: functions with '_locked' need of_compile_mutex. */

#ifndef OFPROTO_COMPILE_SHAPE_H
#define OFPROTO_COMPILE_SHAPE_H 1

#include <stddef.h>
#include <stdint.h>
#include "openvswitch/hmap.h"
#include "openvswitch/thread.h"
#include "vm/emit.h"
#include "ofproto/compile/compile.h"

struct vm_prog;

/* Guards shapes, slots and the list of pipelines. */
extern struct ovs_mutex of_compile_mutex;

/* The programs of a shape. */
struct of_segment {
    uint32_t slot;
    struct vm_prog *prog;       /* Reference. */
};

struct of_segments {
    struct of_segment *s;       /* The first is the entry. */
    size_t n, allocated;
};

/* For the generator: a free slot for a further segment, 0 if there is none;
 * and the code for it. */
uint32_t of_segments_new_slot(struct of_segments *);
int of_segments_add(struct of_segments *, uint32_t slot, struct vm_emit *);

struct of_shape {
    struct hmap_node node;      /* In the table of shapes. */
    uint8_t *bytes;             /* Key. */
    size_t n_bytes;
    unsigned int id;            /* For people. */
    unsigned int refs;
    bool dying;                 /* A deferred free is on its way. */
    struct of_segments segments;
};

/* A compiled list. */
struct of_code {
    struct of_shape *shape;     /* Reference. */
    uint64_t *params;           /* Owned. */
    size_t params_size;         /* Bytes, a multiple of 8, not 0. */
    enum of_parse_level parse;
    bool late;                  /* Parameters change until insertion. */
};

/* Writes the parameters of 'ofpacts', which the code was made of, as they are
 * now, into 'flow' (dp_flow_write()). */
void of_code_renew(uint32_t flow, const struct ofpact *, size_t len,
                   enum of_code_kind);
/* Frees the code but for its shape, whose reference the caller gets. */
struct of_shape *of_code_to_shape(struct of_code *);
void of_shape_unref(struct of_shape *);

/* The slot in which a packet that matched starts. */
static inline uint32_t
of_shape_slot(const struct of_shape *shape)
{
    return shape->segments.s[0].slot;
}

/* Calls 'cb' for each program of each shape. */
void of_shapes_for_each_locked(void (*cb)(uint32_t slot, struct vm_prog *,
                                          void *aux), void *aux);

/* Figures for pipeline/show and tests. */
struct of_shape_stats {
    size_t n_shapes;
    size_t n_programs;
    size_t n_insns;
    uint64_t n_generated;       /* Programs ever loaded. */
};
void of_shapes_stats(struct of_shape_stats *);

/* pipeline.c: puts 'prog' (null: nothing) into 'slot' of every bridge. */
void of_pipelines_set_slot_locked(uint32_t slot, struct vm_prog *prog);

#endif /* ofproto/compile/shape.h */
