/* SPDX-License-Identifier: Apache-2.0 */

/* Matches: from a rule's minimatch to masked key words.
 *
 * Threads: no state. */

#ifndef OFPROTO_COMPILE_MATCH_H
#define OFPROTO_COMPILE_MATCH_H 1

#include <stdint.h>
#include "openvswitch/ofp-errors.h"
#include "datapath/abi.h"
#include "ofproto/compile/compile.h"

struct ds;
struct minimatch;

/* A match as words of the key. */
struct of_match {
    uint64_t key[DP_KEY_WORDS];     /* 0 where the mask is. */
    uint64_t mask[DP_KEY_WORDS];
    enum of_parse_level parse;      /* What PARSE must fill. */
};

/* Call once, after of_fields_init(). */
void of_match_init(void);

/* Whether a rule with 'match' can be compiled: 0, and in '*parse' what PARSE
 * must fill for it, or OFPERR_OFPBMC_* or OFPERR_NXBMC_*. */
enum ofperr of_match_check(const struct minimatch *match,
                           enum of_parse_level *parse);

/* 'match' must have passed of_match_check(). */
void of_match_make(const struct minimatch *match, struct of_match *);

/* Appends 'key' under 'mask' in ovs-ofctl's notation. */
void of_match_format(const uint64_t *key, const uint64_t *mask, struct ds *);

/* Appends the fields of which 'mask' has bits, with the bits of those that it
 * does not have whole: "nw_dst/255.255.255.0,tcp_dst". */
void of_mask_format(const uint64_t *mask, struct ds *);

#endif /* ofproto/compile/match.h */
