/* SPDX-License-Identifier: Apache-2.0 */

#include "utilities/replay-flows.h"

#include <errno.h>
#include <stdio.h>
#include <stdlib.h>
#include <sys/stat.h>
#include "openvswitch/dynamic-string.h"
#include "openvswitch/match.h"
#include "openvswitch/ofp-actions.h"
#include "util.h"

/* parse_ofp_flow_mod_str() takes the command from the line, "add" if there is
 * none. */
enum { COMMAND_IN_LINE = -2 };

/* A read error, or bytes that are no text: a NUL ends every string here, so
 * that what follows it would be ignored. */
static char *
check_text(const char *file, const struct ds *line, int number)
{
    if (memchr(line->string, '\0', line->length)) {
        return xasprintf("%s:%d: a NUL byte, expected text", file, number);
    }
    return NULL;
}

/* OpenFlow 1.0, ovs-ofctl's own choice, has no instructions: its encoder
 * makes something else of them, or leaves them out without a word.  Nor has
 * it what knows of types of packets. */
static enum ofputil_protocol
expressible(const struct ofputil_flow_mod *mod)
{
    const struct ofpact *a;

    OFPACT_FOR_EACH (a, mod->ofpacts, mod->ofpacts_len) {
        if (a->type == OFPACT_WRITE_ACTIONS || a->type == OFPACT_CLEAR_ACTIONS
            || a->type == OFPACT_WRITE_METADATA
            || a->type == OFPACT_GOTO_TABLE || a->type == OFPACT_METER
            || a->type == OFPACT_ENCAP || a->type == OFPACT_DECAP) {
            return OFPUTIL_P_ANY_OXM;
        }
    }
    return OFPUTIL_P_ANY;
}

static char *
read_line(struct replay_flows *flows, const struct ds *line, int number)
{
    enum ofputil_protocol usable;
    struct replay_flow *flow;
    char *error, *sentence;

    error = check_text(flows->file, line, number);
    if (error) {
        return error;
    }
    if (flows->n >= flows->allocated) {
        flows->flows = x2nrealloc(flows->flows, &flows->allocated,
                                  sizeof *flows->flows);
    }
    flow = &flows->flows[flows->n];
    flow->line = number;
    error = parse_ofp_flow_mod_str(&flow->mod, ds_cstr_ro(line), NULL, NULL,
                                   COMMAND_IN_LINE, &usable);
    if (error) {
        sentence = xasprintf("%s:%d: %s", flows->file, number, error);
        free(error);
        return sentence;
    }
    flows->n++;
    flows->usable &= usable & expressible(&flow->mod);
    if (!flows->usable) {
        return xasprintf("%s:%d: no version of OpenFlow can express this "
                         "flow and those before it", flows->file, number);
    }
    return NULL;
}

char *
replay_flows_read(const char *file, struct replay_flows *flows)
{
    struct ds line = DS_EMPTY_INITIALIZER;
    struct stat status;
    char *error = NULL;
    int number = 0;
    FILE *stream;

    *flows = (struct replay_flows) {
        .file = xstrdup(file),
        .usable = OFPUTIL_P_OF10_NXM_TID | OFPUTIL_P_ANY_OXM,
    };
    stream = fopen(file, "r");
    if (!stream) {
        return xasprintf("%s: cannot be opened (%s)", file,
                         ovs_strerror(errno));
    }
    if (!fstat(fileno(stream), &status) && S_ISDIR(status.st_mode)) {
        error = xasprintf("%s: a directory, expected a file of flows", file);
    }
    while (!error && !ds_get_preprocessed_line(&line, stream, &number)) {
        error = read_line(flows, &line, number);
    }
    ds_destroy(&line);
    fclose(stream);
    return error;
}

void
replay_flows_destroy(struct replay_flows *flows)
{
    for (size_t i = 0; i < flows->n; i++) {
        minimatch_destroy(&flows->flows[i].mod.match);
        free(CONST_CAST(struct ofpact *, flows->flows[i].mod.ofpacts));
    }
    free(flows->flows);
    free(flows->file);
}
