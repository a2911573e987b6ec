/* SPDX-License-Identifier: Apache-2.0 */

/* Matches: from a rule's minimatch to masked key words.
 *
 * Threads: no state. */

#ifndef OFPROTO_COMPILE_MATCH_H
#define OFPROTO_COMPILE_MATCH_H 1

#include <stdint.h>
#include "datapath/abi.h"
#include "ofproto/compile/compile.h"

struct ds;

/* A match as words of the key. */
struct of_match {
    uint64_t key[DP_KEY_WORDS];     /* 0 where the mask is. */
    uint64_t mask[DP_KEY_WORDS];
    enum of_parse_level parse;      /* What PARSE must fill. */
};

/* 'match' must have passed of_match_check(). */
void of_match_make(const struct minimatch *match, struct of_match *);

/* Appends 'key' under 'mask' in ovs-ofctl's notation. */
void of_match_format(const uint64_t *key, const uint64_t *mask, struct ds *);

/* Appends the fields of which 'mask' has bits, with the bits of those that it
 * does not have whole: "nw_dst/255.255.255.0,tcp_dst". */
void of_mask_format(const uint64_t *mask, struct ds *);

#endif /* ofproto/compile/match.h */
