/* SPDX-License-Identifier: Apache-2.0 */

/* Mirrors: copies of packets by the ports and VLANs that they pass.
 *
 * What: up to 32 mirrors a bridge, each a bit.  A configuration that workers
 * see (l2-conf.h) has for each bundle the mirrors that select what it
 * receives and what it sends.  A worker mirrors a packet when it comes in,
 * before the tables see it, and at each output, as it then is; to each output
 * at most once.
 *
 * Ownership: struct of_l2 owns its mirrors.
 * Threads: the main thread, except where it says 'worker'. */

#ifndef OFPROTO_MIRROR_H
#define OFPROTO_MIRROR_H 1

#include <stdbool.h>
#include <stdint.h>

struct dp_ctx;
struct of_bundle;
struct of_l2;
struct of_l2_bundle;
struct of_l2_conf;
struct ofproto;
struct ofproto_mirror_settings;
union flow_vlan_hdr;

/* struct ofproto_class. */
int of_mirror_set(struct ofproto *, void *aux,
                  const struct ofproto_mirror_settings *);
int of_mirror_get_stats(struct ofproto *, void *aux, uint64_t *packets,
                        uint64_t *bytes);
bool of_is_mirror_output_bundle(const struct ofproto *, void *aux);

/* A bundle goes: so do the mirrors that output to it. */
void of_mirrors_forget_bundle(struct of_l2 *, const struct of_bundle *);
void of_mirrors_destroy(struct of_l2 *);

/* Fills in what 'conf', whose bundle 'i' is 'bundles[i]', must know. */
void of_mirrors_fill(const struct of_l2 *, struct of_l2_conf *,
                     const struct of_bundle *const *bundles);

/* Which of the mirrors in 'selected' take a packet, in turns: returns the
 * next one's number or -1.  '*done' are those to which it has gone. */
int of_mirror_next(const struct of_l2_conf *, uint32_t selected,
                   uint32_t *done, uint16_t vid);

/* Worker: mirrors what has come in by the context's port or leaves by
 * another. */
void of_mirror_ingress(struct dp_ctx *, const struct of_l2_conf *,
                       const struct of_l2_bundle *);
void of_mirror_egress(struct dp_ctx *, uint32_t ofp_port);

#endif /* ofproto/mirror.h */
