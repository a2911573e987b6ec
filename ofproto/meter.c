/* SPDX-License-Identifier: Apache-2.0 */

/* Meters of OpenFlow, over those of the datapath.  A meter's provider id is
 * its number there. */

#include <config.h>
#include <errno.h>
#include "openvswitch/ofp-meter.h"
#include "util.h"
#include "ofproto/of.h"
#include "ofproto/of-private.h"

#define FLAGS (OFPMF13_KBPS | OFPMF13_PKTPS | OFPMF13_BURST | OFPMF13_STATS)

void
of_meter_get_features(const struct ofproto *ofproto OVS_UNUSED,
                      struct ofputil_meter_features *features)
{
    *features = (struct ofputil_meter_features) {
        .max_meters = DP_MAX_METERS,
        .band_types = 1u << OFPMBT13_DROP | 1u << OFPMBT13_DSCP_REMARK,
        .capabilities = FLAGS,
        .max_bands = DP_MAX_METER_BANDS,
    };
}

enum ofperr
of_meter_set(struct ofproto *ofproto OVS_UNUSED, ofproto_meter_id *id,
             struct ofputil_meter_config *config)
{
    struct dp_meter_attr attr = {
        .per_packet = config->flags & OFPMF13_PKTPS,
        .n_bands = config->n_bands,
    };

    if (config->flags & ~FLAGS) {
        return OFPERR_OFPMMFC_BAD_FLAGS;
    }
    if (config->n_bands > DP_MAX_METER_BANDS) {
        return OFPERR_OFPMMFC_OUT_OF_BANDS;
    }
    for (size_t i = 0; i < config->n_bands; i++) {
        const struct ofputil_meter_band *band = &config->bands[i];
        bool remarks = band->type == OFPMBT13_DSCP_REMARK;

        if (!remarks && band->type != OFPMBT13_DROP) {
            return OFPERR_OFPMMFC_BAD_BAND;
        }
        if (remarks && !band->prec_level) {
            return OFPERR_OFPMMFC_BAD_BAND_VALUE;
        }
        attr.bands[i].rate = band->rate;
        attr.bands[i].burst = band->burst_size;
        attr.bands[i].prec_level = remarks ? band->prec_level : 0;
    }
    switch (-dp_meter_set(of_dp, &id->uint32, &attr)) {
    case 0:
        return 0;
    case EDOM:
        return OFPERR_OFPMMFC_BAD_RATE;
    default:
        return OFPERR_OFPMMFC_OUT_OF_METERS;
    }
}

enum ofperr
of_meter_get(const struct ofproto *ofproto OVS_UNUSED, ofproto_meter_id id,
             struct ofputil_meter_stats *stats, uint16_t n_bands)
{
    struct dp_meter_counts counts;

    if (dp_meter_get(of_dp, id.uint32, &counts)) {
        return OFPERR_OFPMMFC_UNKNOWN_METER;
    }
    stats->packet_in_count = counts.packets;
    stats->byte_in_count = counts.bytes;
    for (size_t i = 0; i < MIN(n_bands, counts.n_bands); i++) {
        stats->bands[i].packet_count = counts.bands[i].packets;
        stats->bands[i].byte_count = counts.bands[i].bytes;
    }
    return 0;
}

/* Rules that name the meter are still on their way out; their packets pass
 * until then. */
void
of_meter_del(struct ofproto *ofproto OVS_UNUSED, ofproto_meter_id id)
{
    dp_meter_del(of_dp, id.uint32);
}
