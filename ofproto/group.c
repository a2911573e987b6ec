/* SPDX-License-Identifier: Apache-2.0 */

/* Groups: their table exists, empty, and says so (ofproto.c asks for the
 * features it shows; they are cleared in of_bridge_construct()).  Meters need
 * nothing here: without meter callbacks libofproto refuses them. */

#include <stdlib.h>
#include "ofproto/of.h"
#include "ofproto/of-private.h"
#include "util.h"

struct ofgroup *
of_group_alloc(void)
{
    return xzalloc(sizeof(struct ofgroup));
}

enum ofperr
of_group_construct(struct ofgroup *group OVS_UNUSED)
{
    return OFPERR_OFPGMFC_OUT_OF_GROUPS;
}

void
of_group_destruct(struct ofgroup *group OVS_UNUSED)
{
}

void
of_group_dealloc(struct ofgroup *group)
{
    free(group);
}
