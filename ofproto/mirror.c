/* SPDX-License-Identifier: Apache-2.0 */

#include <config.h>
#include "ofproto/mirror.h"

#include <errno.h>
#include <stdlib.h>
#include <string.h>
#include "bitmap.h"
#include "dp-packet.h"
#include "flow.h"
#include "hmapx.h"
#include "openvswitch/vlog.h"
#include "packets.h"
#include "util.h"
#include "vlan-bitmap.h"
#include "datapath/dp.h"
#include "ofproto/l2-private.h"
#include "ofproto/of.h"

VLOG_DEFINE_THIS_MODULE(of_mirror);

struct of_mirror {
    void *aux;                      /* The client's key. */
    struct hmapx srcs, dsts;        /* Contain "struct of_bundle *"s. */
    unsigned long *vlans;           /* Owned bitmap, or null. */
    const struct of_bundle *out;    /* Or null: 'out_vlan'. */
    uint16_t out_vlan;
    uint16_t snaplen;
    struct of_l2_mirror_stats *stats;   /* Reference. */
};

/* Settings. */

static struct of_mirror **
find(struct of_l2 *l2, const void *aux)
{
    for (size_t i = 0; i < OF_MAX_MIRRORS; i++) {
        if (l2->mirrors[i] && l2->mirrors[i]->aux == aux) {
            return &l2->mirrors[i];
        }
    }
    return NULL;
}

static void
mirror_destroy(struct of_l2 *l2, struct of_mirror **slot)
{
    struct of_mirror *m = *slot;

    *slot = NULL;
    hmapx_destroy(&m->srcs);
    hmapx_destroy(&m->dsts);
    bitmap_free(m->vlans);
    if (ovs_refcount_unref(&m->stats->ref_cnt) == 1) {
        free(m->stats);
    }
    free(m);
    l2->conf_stale = true;
}

static struct of_mirror **
mirror_create(struct of_l2 *l2, void *aux)
{
    for (size_t i = 0; i < OF_MAX_MIRRORS; i++) {
        if (!l2->mirrors[i]) {
            struct of_mirror *m = xzalloc(sizeof *m);

            m->aux = aux;
            hmapx_init(&m->srcs);
            hmapx_init(&m->dsts);
            m->stats = xzalloc(sizeof *m->stats);
            ovs_refcount_init(&m->stats->ref_cnt);
            l2->mirrors[i] = m;
            return &l2->mirrors[i];
        }
    }
    return NULL;
}

static void
set_bundles(struct of_l2 *l2, struct hmapx *set, void **auxes, size_t n)
{
    hmapx_clear(set);
    for (size_t i = 0; i < n; i++) {
        struct of_bundle *bundle = of_bundle_lookup(l2, auxes[i]);

        if (bundle) {
            hmapx_add(set, bundle);
        }
    }
}

int
of_mirror_set(struct ofproto *ofproto, void *aux,
              const struct ofproto_mirror_settings *s)
{
    struct of_l2 *l2 = of_bridge_cast(ofproto)->l2;
    struct of_mirror **slot = find(l2, aux);
    const struct of_bundle *out = NULL;
    struct of_mirror *m;

    if (s && s->out_bundle) {
        out = of_bundle_lookup(l2, s->out_bundle);
        if (!out) {
            /* Never to the VLAN instead, of which 's' has none. */
            VLOG_WARN("bridge %s: mirror %s has no port to output to",
                      ofproto->name, s->name);
        }
    }
    if (!s || (s->out_bundle && !out)) {
        if (slot) {
            mirror_destroy(l2, slot);
        }
        return s ? EINVAL : 0;
    }
    slot = slot ? slot : mirror_create(l2, aux);
    if (!slot) {
        VLOG_WARN("bridge %s: maximum of %d port mirrors reached, cannot "
                  "create %s", ofproto->name, OF_MAX_MIRRORS, s->name);
        return EFBIG;
    }
    m = *slot;
    set_bundles(l2, &m->srcs, s->srcs, s->n_srcs);
    set_bundles(l2, &m->dsts, s->dsts, s->n_dsts);
    bitmap_free(m->vlans);
    m->vlans = vlan_bitmap_clone(s->src_vlans);
    m->out = out;
    m->out_vlan = s->out_vlan;
    m->snaplen = s->snaplen;
    l2->conf_stale = true;
    of_l2_refresh(l2);
    return 0;
}

int
of_mirror_get_stats(struct ofproto *ofproto, void *aux, uint64_t *packets,
                    uint64_t *bytes)
{
    struct of_mirror **slot = find(of_bridge_cast(ofproto)->l2, aux);

    if (!slot) {
        *packets = *bytes = UINT64_MAX;
        return 0;
    }
    atomic_read_relaxed(&(*slot)->stats->packets, packets);
    atomic_read_relaxed(&(*slot)->stats->bytes, bytes);
    return 0;
}

static bool
is_output(const struct of_l2 *l2, const struct of_bundle *bundle)
{
    for (size_t i = 0; i < OF_MAX_MIRRORS; i++) {
        if (l2->mirrors[i] && l2->mirrors[i]->out == bundle) {
            return true;
        }
    }
    return false;
}

bool
of_is_mirror_output_bundle(const struct ofproto *ofproto, void *aux)
{
    const struct of_l2 *l2 = of_bridge_cast(ofproto)->l2;
    const struct of_bundle *bundle = of_bundle_lookup(l2, aux);

    return bundle && is_output(l2, bundle);
}

void
of_mirrors_forget_bundle(struct of_l2 *l2, const struct of_bundle *bundle)
{
    for (size_t i = 0; i < OF_MAX_MIRRORS; i++) {
        struct of_mirror *m = l2->mirrors[i];

        if (m && m->out == bundle) {
            mirror_destroy(l2, &l2->mirrors[i]);
        } else if (m) {
            hmapx_find_and_delete(&m->srcs, bundle);
            hmapx_find_and_delete(&m->dsts, bundle);
        }
    }
}

void
of_mirrors_destroy(struct of_l2 *l2)
{
    for (size_t i = 0; i < OF_MAX_MIRRORS; i++) {
        if (l2->mirrors[i]) {
            mirror_destroy(l2, &l2->mirrors[i]);
        }
    }
}

/* What workers see. */

static bool
same_output(const struct of_mirror *a, const struct of_mirror *b)
{
    return a->out == b->out && (a->out || a->out_vlan == b->out_vlan);
}

static void
mirror_fill(const struct of_l2 *l2, struct of_l2_conf *conf, size_t i,
            const struct of_bundle *const *bundles)
{
    const struct of_mirror *m = l2->mirrors[i];
    struct of_l2_mirror *f = &conf->mirrors[i];

    conf->mirrors_used |= 1u << i;
    f->vlans = vlan_bitmap_clone(m->vlans);
    f->out = OF_L2_NO_BUNDLE;
    f->out_vlan = m->out_vlan;
    f->snaplen = m->snaplen;
    f->stats = m->stats;
    ovs_refcount_ref(&m->stats->ref_cnt);
    for (size_t j = 0; j < OF_MAX_MIRRORS; j++) {
        if (l2->mirrors[j] && same_output(m, l2->mirrors[j])) {
            f->dups |= 1u << j;
        }
    }
    for (size_t b = 0; b < conf->n_bundles; b++) {
        if (hmapx_contains(&m->srcs, bundles[b])) {
            conf->bundles[b].src_mirrors |= 1u << i;
        }
        if (hmapx_contains(&m->dsts, bundles[b])) {
            conf->bundles[b].dst_mirrors |= 1u << i;
        }
        if (m->out == bundles[b]) {
            conf->bundles[b].mirror_out = true;
            f->out = b;
        }
    }
}

void
of_mirrors_fill(const struct of_l2 *l2, struct of_l2_conf *conf,
                const struct of_bundle *const *bundles)
{
    for (size_t i = 0; i < OF_MAX_MIRRORS; i++) {
        if (l2->mirrors[i]) {
            mirror_fill(l2, conf, i, bundles);
        }
    }
}

/* Mirroring. */

int
of_mirror_next(const struct of_l2_conf *conf, uint32_t selected,
               uint32_t *done, uint16_t vid)
{
    for (selected &= ~*done; selected; selected &= selected - 1) {
        int i = raw_ctz(selected);
        const struct of_l2_mirror *m = &conf->mirrors[i];

        if (!m->vlans || bitmap_is_set(m->vlans, vid)) {
            *done |= m->dups;
            return i;
        }
    }
    return -1;
}

static void
output(struct dp_ctx *ctx, const struct of_l2_conf *conf,
       const struct of_l2_mirror *m, struct of_l2_input *input)
{
    const uint8_t *dl_dst = (const uint8_t *) &ctx->key[DP_KEY_ETH];
    struct eth_addr dst;

    if (m->out != OF_L2_NO_BUNDLE) {
        of_normal_output(ctx, input, &conf->bundles[m->out], m->snaplen);
        return;
    }
    memcpy(&dst, dl_dst, sizeof dst);
    if (input->vlan == m->out_vlan || eth_addr_is_reserved(dst)) {
        return;
    }
    input->vlans.v[0].vid = m->out_vlan;
    if (!input->vlans.v[0].tpid) {
        input->vlans.v[0].tpid = ETH_TYPE_VLAN_8021Q;
    }
    for (size_t i = 0; i < conf->n_bundles; i++) {
        const struct of_l2_bundle *b = &conf->bundles[i];

        if (of_l2_carries(b, &input->vlans) && !b->mirror_out) {
            of_normal_output(ctx, input, b, m->snaplen);
        }
    }
    input->vlans.v[0].vid = input->vlan;
}

static void
mirror(struct dp_ctx *ctx, const struct of_l2_conf *conf,
       const struct of_l2_bundle *bundle, uint32_t selected)
{
    struct of_l2_input input = { .bundle = bundle };
    union flow_vlan_hdr vlans[FLOW_MAX_VLAN_HEADERS];
    uint32_t *done = dp_ctx_tag(ctx);
    uint32_t size = ctx->data_end - ctx->data;
    int i;

    if (!(selected & ~*done)) {
        return;
    }
    memcpy(vlans, &ctx->key[DP_KEY_VLAN], sizeof vlans);
    if (!of_l2_input_vlans(bundle, vlans, &input.vlans)) {
        return;
    }
    input.vlan = input.vlans.v[0].vid;
    while ((i = of_mirror_next(conf, selected, done, input.vlan)) >= 0) {
        const struct of_l2_mirror *m = &conf->mirrors[i];
        uint64_t orig;

        selected &= ~(1u << i);
        atomic_add_relaxed(&m->stats->packets, 1, &orig);
        atomic_add_relaxed(&m->stats->bytes, size, &orig);
        output(ctx, conf, m, &input);
    }
}

void
of_mirror_ingress(struct dp_ctx *ctx, const struct of_l2_conf *conf,
                  const struct of_l2_bundle *bundle)
{
    if (bundle->src_mirrors) {
        dp_ctx_parse(ctx);
        mirror(ctx, conf, bundle, bundle->src_mirrors);
    }
}

void
of_mirror_egress(struct dp_ctx *ctx, uint32_t ofp_port)
{
    const struct of_bridge *bridge = of_bridge_of_dp(dp_ctx_bridge(ctx));
    const struct of_l2_conf *conf = ovsrcu_get(struct of_l2_conf *,
                                               &bridge->l2->conf);
    const struct of_l2_bundle *bundle = of_l2_conf_find(conf,
                                                        u16_to_ofp(ofp_port));

    if (bundle && bundle->dst_mirrors) {
        mirror(ctx, conf, bundle, bundle->dst_mirrors);
    }
}
