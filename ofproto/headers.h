/* SPDX-License-Identifier: Apache-2.0 */

/* What adding and removing headers does to a flow, for workers and the slow
 * path: push_mpls, pop_mpls, encap, decap as in Open vSwitch.
 *
 * Threads: no state. */

#ifndef OFPROTO_HEADERS_H
#define OFPROTO_HEADERS_H 1

#include <stdbool.h>
#include "datapath/dp.h"

struct flow;
struct ofpact;
struct ofpbuf;

/* What must follow. */
struct of_headers {
    enum dp_drop_reason error;  /* Not NONE: the packet is dropped. */
    bool encap, decap;          /* By the next commit. */
    bool reparse;               /* Commit and parse what is there now. */
    bool clear_base_mpls;       /* The base has no labels any more. */
    struct ofpbuf *encap_data;  /* Owned by the caller; may be null. */
};

/* Whether pending changes must be committed before 'a': to add a header, or to
 * take one away with decap.  (A label may go before it was ever written.) */
bool of_headers_want_commit(const struct flow *, const struct ofpact *a);

/* '*h' is zeroed. */
void of_headers_push_mpls(struct flow *, const struct ofpact *,
                          struct of_headers *h);
void of_headers_pop_mpls(struct flow *, const struct ofpact *,
                         struct of_headers *h);
void of_headers_encap(struct flow *, const struct ofpact *,
                      struct of_headers *h);
void of_headers_decap(struct flow *, const struct ofpact *,
                      struct of_headers *h);

/* set_mpls_label, set_mpls_tc, set_mpls_ttl of an MPLS packet. */
void of_headers_set_mpls(struct flow *, const struct ofpact *);

#endif /* ofproto/headers.h */
