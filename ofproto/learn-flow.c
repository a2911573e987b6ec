/* SPDX-License-Identifier: Apache-2.0 */

#include <config.h>
#include "ofproto/learn-flow.h"

#include "learn.h"
#include "openvswitch/match.h"
#include "openvswitch/ofp-flow.h"
#include "openvswitch/ofpbuf.h"
#include "openvswitch/vlog.h"
#include "ofproto/of.h"

VLOG_DEFINE_THIS_MODULE(of_learn);

static struct vlog_rate_limit rl = VLOG_RATE_LIMIT_INIT(1, 5);

static void
log_failure(enum ofperr error)
{
    VLOG_WARN_RL(&rl, "LEARN action execution failed (%s).",
                 ofperr_to_string(error));
}

enum ofperr
of_learn_prepare(struct of_bridge *bridge, const struct ofpact_learn *learn,
                 const struct flow *flow, struct ofproto_flow_mod *ofm)
{
    uint64_t stub[1024 / 8];
    struct ofpbuf ofpacts = OFPBUF_STUB_INITIALIZER(stub);
    struct ofputil_flow_mod fm;
    enum ofperr error;

    learn_execute(learn, flow, &fm, &ofpacts);
    error = ofproto_flow_mod_init_for_learn(&bridge->dpif.up, &fm, ofm);
    ofpbuf_uninit(&ofpacts);
    minimatch_destroy(&fm.match);
    if (error) {
        log_failure(error);
    }
    return error;
}

enum ofperr
of_learn_now(struct of_bridge *bridge, const struct ofpact_learn *learn,
             const struct flow *flow, bool *successp)
{
    struct ofproto_flow_mod ofm;
    enum ofperr error;

    error = of_learn_prepare(bridge, learn, flow, &ofm);
    if (error) {
        return error;
    }
    *successp = true;
    error = ofproto_flow_mod_learn(&ofm, false, learn->limit, successp);
    ofproto_flow_mod_uninit(&ofm);
    if (error) {
        log_failure(error);
    }
    return error;
}
