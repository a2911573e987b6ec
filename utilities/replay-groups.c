/* SPDX-License-Identifier: Apache-2.0 */

#include "utilities/replay-groups.h"

#include <errno.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/stat.h>
#include "openvswitch/dynamic-string.h"
#include "openvswitch/ofp-errors.h"
#include "openvswitch/ofp-group.h"
#include "openvswitch/ofp-meter.h"
#include "openvswitch/ofpbuf.h"
#include "util.h"
#include "utilities/replay-session.h"

/* parse_ofp_group_mod_str() takes the command from the line, "add" if there
 * is none. */
enum { COMMAND_IN_LINE = -2 };

/* Makes a message of a line.  Returns NULL, or why not, to be freed. */
typedef char *parse_fn(const char *line, struct ofpbuf **);

static char *
parse_group(const char *line, struct ofpbuf **msgp)
{
    enum ofputil_protocol usable;
    struct ofputil_group_mod gm;
    char *error;

    error = parse_ofp_group_mod_str(&gm, COMMAND_IN_LINE, line, NULL, NULL,
                                    &usable);
    if (!error) {
        if (usable & OFPUTIL_P_OF15_OXM) {
            *msgp = ofputil_encode_group_mod(OFP15_VERSION, &gm, NULL, -1);
        } else {
            error = xstrdup("OpenFlow 1.5 cannot express this group");
        }
        ofputil_uninit_group_mod(&gm);
    }
    return error;
}

static char *
parse_meter(const char *line, struct ofpbuf **msgp)
{
    enum ofputil_protocol usable;
    struct ofputil_meter_mod mm;
    char *error;

    error = parse_ofp_meter_mod_str(&mm, line, OFPMC13_ADD, &usable);
    if (!error) {
        *msgp = ofputil_encode_meter_mod(OFP15_VERSION, &mm);
        free(mm.meter.bands);
    }
    return error;
}

static char *
install_line(struct replay_session *session, const char *line,
             parse_fn *parse)
{
    struct ofpbuf *msg = NULL;
    enum ofperr refusal;
    uint32_t xid;
    char *sentence = parse(line, &msg);

    if (!sentence) {
        sentence = replay_session_send(session, msg);
    }
    if (!sentence) {
        sentence = replay_session_barrier(session, &refusal, &xid);
        if (!sentence && refusal) {
            sentence = xasprintf("the switch refuses this (%s)",
                                 ofperr_to_string(refusal));
        }
    }
    return sentence;
}

static char *
install_lines(FILE *stream, const char *file, parse_fn *parse)
{
    struct ds line = DS_EMPTY_INITIALIZER;
    struct replay_session session;
    int number = 0;
    char *error;

    error = replay_session_open(OFPUTIL_P_OF15_OXM, &session);
    while (!error && !ds_get_preprocessed_line(&line, stream, &number)) {
        char *why = (memchr(line.string, '\0', line.length)
                     ? xstrdup("a NUL byte, expected text")
                     : install_line(&session, ds_cstr(&line), parse));

        if (why) {
            error = xasprintf("%s:%d: %s", file, number, why);
            free(why);
        }
    }
    replay_session_close(&session);
    ds_destroy(&line);
    return error;
}

static char *
install(const char *file, const char *of_what, parse_fn *parse)
{
    FILE *stream = fopen(file, "r");
    struct stat status;
    char *error;

    if (!stream) {
        return xasprintf("%s: cannot be opened (%s)", file,
                         ovs_strerror(errno));
    }
    if (!fstat(fileno(stream), &status) && S_ISDIR(status.st_mode)) {
        error = xasprintf("%s: a directory, expected a file of %s", file,
                          of_what);
    } else {
        error = install_lines(stream, file, parse);
    }
    fclose(stream);
    return error;
}

char *
replay_groups_install(const char *file)
{
    return install(file, "groups", parse_group);
}

char *
replay_meters_install(const char *file)
{
    return install(file, "meters", parse_meter);
}
