/* SPDX-License-Identifier: Apache-2.0 */

#include "utilities/replay-switch.h"

#include <errno.h>
#include <stdlib.h>
#include <string.h>
#include <unistd.h>
#include "datapath/dp.h"
#include "dirs.h"
#include "dummy.h"
#include "fatal-signal.h"
#include "netdev.h"
#include "ofproto/compile/compile.h"
#include "ofproto/of.h"
#include "openvswitch/dynamic-string.h"
#include "openvswitch/poll-loop.h"
#include "ovs-rcu.h"
#include "svec.h"
#include "util.h"
#include "utilities/db-server.h"
#include "utilities/replay-clock.h"
#include "utilities/replay-netdev.h"
#include "utilities/vsctl.h"
#include "vswitchd/bridge.h"

enum {
    PATIENCE_MS = 60000,        /* Real time after which the switch is said to
                                 * hang. */
    NEAR_CACHE = 256 * 1024     /* Bytes: not what this machine has, so that
                                 * all machines do the same. */
};

static char *dir;               /* Where the sockets lie. */
static char *openflow;          /* "unix:PATH" of br0's management socket. */
static char *remote;            /* "unix:PATH" of the database. */
static struct db_server *db;
static bool running;            /* bridge_init() has been called. */

static char *run_commands(const struct replay_switch_config *);
static char *run_script(const char *file);

static void
remove_dir(void *aux OVS_UNUSED)
{
    static const char *const names[] = {
        "db.sock", "br0.mgmt", "br0.snoop", "system-id.conf"
    };

    if (!dir) {
        return;
    }
    for (size_t i = 0; i < ARRAY_SIZE(names); i++) {
        char *path = xasprintf("%s/%s", dir, names[i]);

        unlink(path);
        free(path);
    }
    rmdir(dir);
}

char *
replay_switch_prepare(void)
{
    const char *parent = getenv("TMPDIR");

    dir = xasprintf("%s/bvs-replay.XXXXXX",
                    parent && parent[0] ? parent : "/tmp");
    if (!mkdtemp(dir)) {
        char *error = xasprintf("%s: cannot make a directory (%s)", dir,
                                ovs_strerror(errno));

        free(dir);
        dir = NULL;
        return error;
    }
    /* Also when a signal ends the program. */
    fatal_signal_add_hook(remove_dir, NULL, NULL, true);
    setenv("OVS_RUNDIR", dir, true);
    setenv("OVS_LOGDIR", dir, true);
    setenv("OVS_DBDIR", dir, true);
    openflow = xasprintf("unix:%s/br0.mgmt", dir);
    remote = xasprintf("unix:%s/db.sock", dir);
    return NULL;
}

char *
replay_switch_start(const struct replay_switch_config *config)
{
    struct db_server_config db_config = { .file = NULL };
    char *listen, *error;

    /* The bridge's own port is a dummy, which needs no privileges. */
    dummy_enable("");
    of_provider_set_mode(DP_INLINE);
    of_plan_set_quiet_ms(0);
    of_plan_set_near_cache(NEAR_CACHE);

    listen = xasprintf("p%s", remote);
    db_config.listen = listen;
    error = db_server_create(&db_config, &db);
    free(listen);
    if (error) {
        return error;
    }
    bridge_init(remote);
    running = true;

    error = run_commands(config);
    if (!error && config->config_file) {
        error = run_script(config->config_file);
    }
    return error;
}

void
replay_switch_exit(void)
{
    if (running) {
        bridge_exit(true);
        of_provider_exit();
        running = false;
    }
    db_server_destroy(db);
    db = NULL;
    remove_dir(NULL);
    free(dir);
    free(openflow);
    free(remote);
    dir = openflow = remote = NULL;
}

const char *
replay_switch_openflow(void)
{
    return openflow;
}

void
replay_switch_run(void)
{
    db_server_run(db);
    bridge_run();
    netdev_run();

    /* Lets deferred work go on, without waiting: virtual time passes only
     * when a packet comes. */
    poll_immediate_wake();
    poll_block();
}

void
replay_switch_flush(void)
{
    bool more;

    do {
        more = dp_run(of_dp);
    } while (more || replay_netdev_pending());
}

/* Configuration. */

static bool
is_late(int64_t start)
{
    return replay_clock_real_ms() - start > PATIENCE_MS;
}

/* Runs the bvs-vsctl command line 'words'. */
static char *
run_command_line(struct svec *words)
{
    int64_t start = replay_clock_real_ms();
    struct vsctl_options options;
    char *error, *output;
    struct vsctl *vsctl;
    bool late = false;

    vsctl_options_init(&options);
    options.db = remote;
    svec_terminate(words);
    error = vsctl_create(words->n, words->names, &options, &vsctl);
    if (error) {
        return error;
    }
    while (!vsctl_run(vsctl) && !late) {
        replay_switch_run();
        late = is_late(start);
    }
    output = vsctl_take_output(vsctl);
    free(output);
    if (late) {
        error = xstrdup("the switch did not take its configuration");
    } else if (vsctl_status(vsctl)) {
        error = xstrdup(vsctl_messages(vsctl));
    }
    vsctl_destroy(vsctl);
    return error;
}

/* Makes the bridge and its ports.  Fixed addresses, so that every run is the
 * same; fail mode secure, because the flow file says all that forwards. */
static char *
run_commands(const struct replay_switch_config *config)
{
    struct ds line = DS_EMPTY_INITIALIZER;
    struct svec words = SVEC_EMPTY_INITIALIZER;
    char *error;

    ds_put_cstr(&line, "bvs-vsctl init -- add-br br0 -- set bridge br0 "
                "datapath_type=dummy fail_mode=secure "
                "other_config:datapath-id=0000020000ff0000 "
                "other_config:hwaddr=02:00:00:ff:ff:ff");
    for (size_t i = 0; i < config->n_ports; i++) {
        unsigned int port = config->ports[i];

        ds_put_format(&line, " -- add-port br0 p%u -- set interface p%u "
                      "type=replay ofport_request=%u", port, port, port);
    }
    svec_parse_words(&words, ds_cstr(&line));
    error = run_command_line(&words);
    svec_destroy(&words);
    ds_destroy(&line);
    return error;
}

static char *
run_script(const char *file)
{
    int64_t start = replay_clock_real_ms();
    struct vsctl_script *script;
    char *error;

    error = vsctl_script_open(file, remote, &script);
    if (error) {
        return error;
    }
    while (!vsctl_script_run(script) && !error) {
        replay_switch_run();
        if (is_late(start)) {
            error = xasprintf("%s: the switch did not take it", file);
        }
    }
    if (!error && vsctl_script_error(script)) {
        error = xstrdup(vsctl_script_error(script));
    }
    vsctl_script_close(script);
    return error;
}
