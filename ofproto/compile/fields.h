/* SPDX-License-Identifier: Apache-2.0 */

/* Fields: where OpenFlow's fields lie in the key, and code that reads and
 * writes them.
 *
 * What: a field is an unsigned number of up to 128 bits, stored in one to
 * four pieces of struct flow (fields.def).  The context's key has the words
 * of struct flow in another order, so each offset into struct flow has one
 * offset into the context (of_ctx_off()).
 *
 * Threads: the tables are constant after of_fields_init(). */

#ifndef OFPROTO_COMPILE_FIELDS_H
#define OFPROTO_COMPILE_FIELDS_H 1

#include <stdbool.h>
#include <stdint.h>
#include "openvswitch/meta-flow.h"
#include "vm/emit.h"
#include "ofproto/compile/compile.h"

/* A piece of storage; pieces are listed from the most significant on. */
struct of_piece {
    uint16_t flow_off;          /* Offset in struct flow. */
    uint8_t size;               /* Bytes: 1, 2, 4 or 8. */
    bool net;                   /* Network byte order, or the host's. */
};

#define OF_MAX_PIECES 4

enum of_field_flags {
    OF_FF_READ = 1 << 0,
    OF_FF_WHOLE = 1 << 1,
    OF_FF_VLAN = 1 << 2,
    OF_FF_OFP11 = 1 << 3,
};

struct of_field {
    const struct mf_field *mf;  /* Null: not supported. */
    struct of_piece pieces[OF_MAX_PIECES];
    uint8_t n_pieces;
    uint8_t shift;
    uint8_t flags;              /* OF_FF_*. */
    uint32_t dirty;             /* DP_DIRTY_*. */
};

/* Call once before anything else. */
void of_fields_init(void);

/* The field, or null if programs cannot handle it. */
const struct of_field *of_field_get(const struct mf_field *);

/* Offset in struct dp_ctx of offset 'flow_off' of struct flow, which must lie
 * in a word that the key has. */
int of_ctx_off(size_t flow_off);
#define OF_KEY_OFF(MEMBER) of_ctx_off(offsetof(struct flow, MEMBER))

/* Notes that the key was written at 'ctx_off' (struct dp_ctx: 'wide'). */
void of_emit_wide(struct vm_emit *, int ctx_off);

/* Index of the key word that holds word 'flow_word' (8-byte unit) of struct
 * flow, or -1; and back. */
int of_key_from_flow_word(size_t flow_word);
size_t of_flow_word_from_key(int key_word);

/* How deep PARSE must go to fill key word 'key_word'; what a rule that
 * writes or needs 'mf' needs. */
enum of_parse_level of_key_parse_level(int key_word);
enum of_parse_level of_field_parse_level(const struct of_field *);
enum of_parse_level of_prereqs_parse_level(enum mf_prereqs);

/* Code, in programs that keep the context in r6.  Except where it says
 * otherwise only r0 to r3 are changed. */

/* Jumps to 'no' unless the packet satisfies 'prereqs'. */
void of_emit_prereqs(struct vm_emit *, enum mf_prereqs, vm_label_t no);

/* Reads bits [ofs, ofs + n_bits) of the field's value, n_bits <= 64, into
 * 'dst' (r4 to r9). */
void of_emit_read(struct vm_emit *, const struct of_field *, unsigned ofs,
                  unsigned n_bits, uint8_t dst);

/* Writes them from 'src' (r4 to r9), whose bits above 'n_bits' are 0.
 * Not for fields with OF_FF_VLAN or OF_FF_READ. */
void of_emit_write(struct vm_emit *, const struct of_field *, unsigned ofs,
                   unsigned n_bits, uint8_t src);

/* After a write of the field: marks header groups as changed. */
void of_emit_dirty(struct vm_emit *, uint32_t dirty);

#endif /* ofproto/compile/fields.h */
