/* SPDX-License-Identifier: Apache-2.0 */

#include "datapath/port-kinds.h"

#include <stddef.h>
#include "datapath/port.h"
#include "util.h"

static const struct dp_port_ops *const kinds[] = {
#define DP_PORT_KIND(NAME) &dp_port_##NAME##_ops,
#include "datapath/port-kinds.def"
#undef DP_PORT_KIND
};

const struct dp_port_ops *
dp_port_kind(const struct netdev *netdev)
{
    for (size_t i = 0; i < ARRAY_SIZE(kinds); i++) {
        if (kinds[i]->match(netdev)) {
            return kinds[i];
        }
    }
    OVS_NOT_REACHED();          /* The last row matches all. */
}
