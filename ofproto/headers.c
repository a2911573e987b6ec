/* SPDX-License-Identifier: Apache-2.0 */

#include <config.h>
#include "ofproto/headers.h"

#include <string.h>
#include "flow.h"
#include "openvswitch/nsh.h"
#include "openvswitch/ofp-actions.h"
#include "openvswitch/ofp-ed-props.h"
#include "openvswitch/ofpbuf.h"
#include "packets.h"
#include "util.h"

bool
of_headers_want_commit(const struct flow *flow, const struct ofpact *a)
{
    return (a->type == OFPACT_PUSH_MPLS ? !flow_count_mpls_labels(flow, NULL)
            : a->type != OFPACT_POP_MPLS);
}

/* MPLS. */

void
of_headers_push_mpls(struct flow *flow, const struct ofpact *a,
                     struct of_headers *h)
{
    int n = flow_count_mpls_labels(flow, NULL);

    if (n >= FLOW_MAX_MPLS_LABELS) {
        h->error = DP_DROP_MPLS_LABELS;
        return;
    }
    flow_push_mpls(flow, n, ofpact_get_PUSH_MPLS(a)->ethertype, NULL, true);
}

void
of_headers_pop_mpls(struct flow *flow, const struct ofpact *a,
                    struct of_headers *h)
{
    ovs_be16 ethertype = ofpact_get_POP_MPLS(a)->ethertype;
    int n = flow_count_mpls_labels(flow, NULL);

    if (flow_pop_mpls(flow, n, ethertype, NULL)) {
        /* OVS recirculates before the first action that could tell. */
        h->reparse = !eth_type_mpls(ethertype);
    } else if (n >= FLOW_MAX_MPLS_LABELS) {
        h->error = DP_DROP_MPLS_LABELS;
    }
}

void
of_headers_set_mpls(struct flow *flow, const struct ofpact *a)
{
    ovs_be32 *lse = &flow->mpls_lse[0];

    if (a->type == OFPACT_SET_MPLS_LABEL) {
        set_mpls_lse_label(lse, ofpact_get_SET_MPLS_LABEL(a)->label);
    } else if (a->type == OFPACT_SET_MPLS_TC) {
        set_mpls_lse_tc(lse, ofpact_get_SET_MPLS_TC(a)->tc);
    } else {
        set_mpls_lse_ttl(lse, ofpact_get_SET_MPLS_TTL(a)->ttl);
    }
}

/* encap. */

static void
encap_ethernet(struct flow *flow, struct of_headers *h)
{
    if (pt_ns(flow->packet_type) != OFPHTN_ETHERTYPE) {
        h->error = DP_DROP_PACKET_TYPE;
        return;
    }
    flow->dl_type = pt_ns_type_be(flow->packet_type);
    flow->packet_type = htonl(PT_ETH);
    flow->dl_src = eth_addr_zero;
    flow->dl_dst = eth_addr_zero;
}

static void
encap_mpls(struct flow *flow, const struct ofpact_encap *encap,
           struct of_headers *h)
{
    int n = flow_count_mpls_labels(flow, NULL);

    if (n >= FLOW_MAX_MPLS_LABELS) {
        h->error = DP_DROP_MPLS_LABELS;
        return;
    }
    if (flow->packet_type == htonl(PT_ETH)
        && flow->dl_type == htons(ETH_TYPE_MPLS)) {
        /* The labels behind the Ethernet header are payload now. */
        memset(&flow->mpls_lse, 0, sizeof flow->mpls_lse);
        h->clear_base_mpls = true;
    }
    flow->packet_type = encap->new_pkt_type;
    flow_push_mpls(flow, n, pt_ns_type_be(encap->new_pkt_type), NULL, true);
    flow->dl_src = eth_addr_zero;
    flow->dl_dst = eth_addr_zero;
}

/* The properties of encap(nsh(...)): the type of metadata, and metadata of
 * type 2, to be freed, or null. */
static struct ofpbuf *
nsh_properties(const struct ofpact_encap *encap, uint8_t *md_type)
{
    struct ofpbuf *buf = ofpbuf_new(NSH_CTX_HDRS_MAX_LEN);
    const char *p = (const char *) encap->props;

    *md_type = NSH_M_TYPE1;
    for (int i = 0; i < encap->n_props; i++) {
        const struct ofpact_ed_prop *prop
            = ALIGNED_CAST(const struct ofpact_ed_prop *, p);

        if (prop->prop_class == OFPPPC_NSH
            && prop->type == OFPPPT_PROP_NSH_MDTYPE) {
            *md_type = ALIGNED_CAST(const struct ofpact_ed_prop_nsh_md_type *,
                                    prop)->md_type;
        } else if (prop->prop_class == OFPPPC_NSH
                   && prop->type == OFPPPT_PROP_NSH_TLV) {
            const struct ofpact_ed_prop_nsh_tlv *tlv
                = ALIGNED_CAST(const struct ofpact_ed_prop_nsh_tlv *, prop);
            struct nsh_md2_tlv *md2 = ofpbuf_put_uninit(buf, sizeof *md2);

            md2->md_class = tlv->tlv_class;
            md2->type = tlv->tlv_type;
            md2->length = tlv->tlv_len;
            ofpbuf_put(buf, tlv->data, tlv->tlv_len);
            ofpbuf_put_zeros(buf, ROUND_UP(tlv->tlv_len, 4) - tlv->tlv_len);
        }
        p += ROUND_UP(prop->len, 8);
    }
    if (*md_type == NSH_M_TYPE1 || !buf->size
        || buf->size > NSH_CTX_HDRS_MAX_LEN) {
        ofpbuf_delete(buf);
        buf = NULL;
    }
    return buf;
}

static void
encap_nsh(struct flow *flow, const struct ofpact_encap *encap,
          struct of_headers *h)
{
    uint8_t md_type, np;

    switch (ntohl(flow->packet_type)) {
    case PT_ETH:
        np = NSH_P_ETHERNET;
        break;
    case PT_IPV4:
        np = NSH_P_IPV4;
        break;
    case PT_IPV6:
        np = NSH_P_IPV6;
        break;
    case PT_NSH:
        np = NSH_P_NSH;
        break;
    default:
        h->error = DP_DROP_PACKET_TYPE;
        return;
    }
    h->encap_data = nsh_properties(encap, &md_type);

    memset(&flow->dl_dst, 0, sizeof *flow - offsetof(struct flow, dl_dst));
    flow->packet_type = htonl(PT_NSH);
    flow->dl_type = htons(ETH_TYPE_NSH);
    flow->nsh.ttl = 63;
    flow->nsh.np = np;
    flow->nsh.path_hdr = htonl(255);
    flow->nsh.mdtype = md_type & NSH_MDTYPE_MASK;
}

void
of_headers_encap(struct flow *flow, const struct ofpact *a,
                 struct of_headers *h)
{
    const struct ofpact_encap *encap = ofpact_get_ENCAP(a);

    switch (ntohl(encap->new_pkt_type)) {
    case PT_ETH:
        encap_ethernet(flow, h);
        break;
    case PT_NSH:
        encap_nsh(flow, encap, h);
        break;
    case PT_MPLS:
    case PT_MPLS_MC:
        encap_mpls(flow, encap, h);
        break;
    default:
        h->error = DP_DROP_PACKET_TYPE;
        break;
    }
    h->encap = h->error == DP_DROP_NONE;
}

/* decap. */

static void
decap_ethernet(struct flow *flow, struct of_headers *h)
{
    if (flow->vlans[0].tci & htons(VLAN_CFI)) {
        h->error = DP_DROP_PACKET_TYPE;
        return;
    }
    flow->packet_type = htonl(PACKET_TYPE(OFPHTN_ETHERTYPE,
                                          ntohs(flow->dl_type)));
    flow->dl_src = eth_addr_zero;
    flow->dl_dst = eth_addr_zero;
}

static void
decap_nsh(struct flow *flow, struct of_headers *h)
{
    switch (flow->nsh.np) {
    case NSH_P_ETHERNET:
        flow->packet_type = htonl(PT_ETH);
        break;
    case NSH_P_IPV4:
        flow->packet_type = htonl(PT_IPV4);
        break;
    case NSH_P_IPV6:
        flow->packet_type = htonl(PT_IPV6);
        break;
    case NSH_P_NSH:
        flow->packet_type = htonl(PT_NSH);
        break;
    default:
        h->error = DP_DROP_PACKET_TYPE;
        return;
    }
    h->decap = true;
    h->reparse = true;
}

static void
decap_mpls(struct flow *flow, const struct ofpact_decap *decap,
           struct of_headers *h)
{
    int n = flow_count_mpls_labels(flow, NULL);
    ovs_be16 ethertype;

    flow->packet_type = decap->new_pkt_type;
    ethertype = pt_ns_type_be(flow->packet_type);
    if (!ethertype) {
        ethertype = htons(ETH_TYPE_TEB);
    }
    if (flow_pop_mpls(flow, n, ethertype, NULL)) {
        h->decap = true;
        h->reparse = n == 1;
    } else if (n >= FLOW_MAX_MPLS_LABELS) {
        h->error = DP_DROP_MPLS_LABELS;
    }
}

void
of_headers_decap(struct flow *flow, const struct ofpact *a,
                 struct of_headers *h)
{
    switch (ntohl(flow->packet_type)) {
    case PT_ETH:
        decap_ethernet(flow, h);
        break;
    case PT_NSH:
        decap_nsh(flow, h);
        break;
    case PT_MPLS:
    case PT_MPLS_MC:
        decap_mpls(flow, ofpact_get_DECAP(a), h);
        break;
    default:
        h->error = DP_DROP_PACKET_TYPE;
        break;
    }
}
