/* SPDX-License-Identifier: Apache-2.0 */

/* Flow_mods of a controller, of any version of OpenFlow: what libopenvswitch
 * decodes, our compiler takes or refuses with an error of OpenFlow's; what it
 * generates is never refused by the verifier, and has a text. */

#include <config.h>
#include <stdlib.h>
#include "flow.h"
#include "ofproto/ofproto.h"
#include "openflow/openflow.h"
#include "openvswitch/dynamic-string.h"
#include "openvswitch/ofp-actions.h"
#include "openvswitch/ofp-errors.h"
#include "openvswitch/ofp-flow.h"
#include "openvswitch/ofp-msgs.h"
#include "openvswitch/ofp-protocol.h"
#include "openvswitch/ofpbuf.h"
#include "ovs-rcu.h"
#include "openvswitch/vlog.h"
#include "util.h"
#include "ofproto/compile/compile.h"
#include "ofproto/compile/match.h"
#include "tests/fuzz/targets/target.h"
#include "vm/map.h"

static void
start(void)
{
    vlog_set_levels(NULL, VLF_ANY_DESTINATION, VLL_OFF);
    of_compile_init(NULL);
}

static void
compile(const struct match *match, const struct ofpbuf *ofpacts)
{
    struct minimatch mini;
    enum of_parse_level parse;
    struct of_code *code;
    enum ofperr error;

    minimatch_init(&mini, match);
    error = of_match_check(&mini, &parse);
    minimatch_destroy(&mini);
    if (!error) {
        error = of_code_get(ofpacts->data, ofpacts->size, OF_CODE_RULE,
                            &code);
        if (error == OFPERR_OFPFMFC_UNKNOWN) {
            abort();            /* A program that did not load. */
        } else if (!error) {
            of_code_unref(code);
        }
    }
    if (error && !ofperr_to_string(error)) {
        abort();
    }
    ovsrcu_quiesce();
    vm_defer_run();
}

static void
decode(const struct ofp_header *oh)
{
    uint64_t stub[512 / 8];
    struct ofpbuf ofpacts = OFPBUF_STUB_INITIALIZER(stub);
    struct ofputil_flow_mod fm;
    enum ofptype type;

    if (!ofptype_decode(&type, oh) && type == OFPTYPE_FLOW_MOD
        && !ofputil_decode_flow_mod(
            &fm, oh, ofputil_protocol_from_ofp_version(oh->version), NULL,
            NULL, &ofpacts, OFPP_MAX, OFPTT_ALL)) {
        struct match match;

        minimatch_expand(&fm.match, &match);
        compile(&match, &ofpacts);
        minimatch_destroy(&fm.match);
    }
    ofpbuf_uninit(&ofpacts);
}

int
LLVMFuzzerTestOneInput(const uint8_t *data, size_t size)
{
    static bool started;
    struct ofp_header *oh;

    if (!started) {
        started = true;
        start();
    }
    if (size < sizeof *oh || size > UINT16_MAX) {
        return 0;
    }
    /* The length is what a connection has gone by. */
    oh = xmemdup(data, size);
    oh->length = htons(size);
    decode(oh);
    free(oh);
    return 0;
}
