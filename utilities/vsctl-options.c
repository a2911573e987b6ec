/* SPDX-License-Identifier: Apache-2.0 */

#include <config.h>

#include "utilities/vsctl-private.h"

#include <getopt.h>
#include <limits.h>
#include <stdlib.h>
#include <string.h>

#include "command-line.h"
#include "db-ctl-base.h"
#include "utilities/vsctl-commands.h"
#include "lib/vswitch-idl.h"
#include "util.h"

enum {
    /* Above what a program uses for its own options. */
    OPT_FIRST = 0x10000,
    OPT_DB = OPT_FIRST,
    OPT_NO_WAIT,
    OPT_DRY_RUN,
    OPT_ONELINE,
    OPT_RETRY,
    OPT_LEADER_ONLY,
    OPT_NO_LEADER_ONLY,
    OPT_SHUFFLE,
    OPT_NO_SHUFFLE,
    OPT_COMMAND,                /* An option of a command. */
};

static const struct option own_options[] = {
    { "db", required_argument, NULL, OPT_DB },
    { "no-wait", no_argument, NULL, OPT_NO_WAIT },
    { "dry-run", no_argument, NULL, OPT_DRY_RUN },
    { "oneline", no_argument, NULL, OPT_ONELINE },
    { "retry", no_argument, NULL, OPT_RETRY },
    { "timeout", required_argument, NULL, 't' },
    { "leader-only", no_argument, NULL, OPT_LEADER_ONLY },
    { "no-leader-only", no_argument, NULL, OPT_NO_LEADER_ONLY },
    { "shuffle-remotes", no_argument, NULL, OPT_SHUFFLE },
    { "no-shuffle-remotes", no_argument, NULL, OPT_NO_SHUFFLE },
};

void
vsctl_register_commands(void)
{
    static bool registered;

    if (!registered) {
        registered = true;
        ctl_init__(&ovsrec_idl_class, vsctl_table_classes, vsctl_show_tables,
                   NULL);
        ctl_register_commands(vsctl_bridge_commands);
        ctl_register_commands(vsctl_port_commands);
        ctl_register_commands(vsctl_control_commands);
        ctl_register_commands(vsctl_extra_commands);
    }
}

void
vsctl_options_init(struct vsctl_options *options)
{
    *options = (struct vsctl_options) {
        .wait = true,
        .leader_only = true,
        .shuffle_remotes = true,
        .style = TABLE_STYLE_DEFAULT,
    };
}

/* Returns own options, the program's and those of all commands, in this
 * order, with a null at the end.  'n_static' is the number of those whose
 * names are constants. */
static struct option *
collect_options(const struct vsctl_options *o, size_t *n_static)
{
    size_t n = ARRAY_SIZE(own_options);
    struct option *options;
    size_t n_extra = 0;
    size_t allocated;

    while (o->extra && o->extra[n_extra].name) {
        n_extra++;
    }
    allocated = n + n_extra;
    options = xmalloc(allocated * sizeof *options);
    memcpy(options, own_options, sizeof own_options);
    if (n_extra) {
        memcpy(options + n, o->extra, n_extra * sizeof *options);
    }
    *n_static = n = allocated;
    ctl_add_cmd_options(&options, &n, &allocated, OPT_COMMAND);
    return options;
}

static void
free_options(struct option *options, size_t n_static)
{
    for (size_t i = n_static; options[i].name; i++) {
        free(CONST_CAST(char *, options[i].name));
    }
    free(options);
}

static char *
add_command_option(const char *name, struct shash *local)
{
    char *key = xasprintf("--%s", name);

    if (shash_find(local, key)) {
        free(key);
        return xasprintf("'%s' option specified multiple times", name);
    }
    shash_add_nocopy(local, key, nullable_xstrdup(optarg));
    return NULL;
}

/* Handles option 'c', which is called 'name'. */
static char *
handle_option(struct vsctl_options *o, int c, const char *name,
              struct shash *local)
{
    switch (c) {
    case OPT_DB:
        o->db = optarg;
        break;

    case OPT_NO_WAIT:
        o->wait = false;
        break;

    case OPT_DRY_RUN:
        o->dry_run = true;
        break;

    case OPT_ONELINE:
        o->oneline = true;
        break;

    case OPT_RETRY:
        o->retry = true;
        break;

    case OPT_LEADER_ONLY:
    case OPT_NO_LEADER_ONLY:
        o->leader_only = c == OPT_LEADER_ONLY;
        break;

    case OPT_SHUFFLE:
    case OPT_NO_SHUFFLE:
        o->shuffle_remotes = c == OPT_SHUFFLE;
        break;

    case 't':
        if (!str_to_uint(optarg, 10, &o->timeout) || !o->timeout) {
            return xasprintf("value %s on -t or --timeout is invalid",
                             optarg);
        }
        break;

    case OPT_COMMAND:
        return add_command_option(name, local);

    default:
        o->handle_extra(c);
    }
    return NULL;
}

char *
vsctl_options_parse(int argc, char *argv[], struct vsctl_options *o,
                    struct shash *local, int *first)
{
    size_t n_static;
    struct option *options = collect_options(o, &n_static);
    char *tmp = ovs_cmdl_long_options_to_short_options(options);
    char *letters = xasprintf("+:%s", tmp);
    char *error = NULL;

    /* The GNU way to begin anew. */
    optind = 0;
    opterr = 0;
    while (!error) {
        int index = 0;
        int c = getopt_long(argc, argv, letters, options, &index);

        if (c == -1) {
            break;
        } else if (c == '?') {
            error = xasprintf("unknown option '%s' (use --help for help)",
                              argv[optind - 1]);
        } else if (c == ':') {
            error = xasprintf("option '%s' requires an argument",
                              argv[optind - 1]);
        } else {
            error = handle_option(o, c, options[index].name, local);
        }
    }
    *first = optind;
    free(letters);
    free(tmp);
    free_options(options, n_static);
    return error;
}
