/* SPDX-License-Identifier: Apache-2.0 */

/* The command
 *
 *     pipeline/profile BRIDGE SECONDS [--sample N] [--folded FILE|-]
 *                      [--svg FILE|-]
 *
 * FILE is an absolute name, which the daemon writes; - is the answer. */

#include <config.h>
#include "ofproto/profile.h"

#include <errno.h>
#include <fcntl.h>
#include <stdlib.h>
#include <unistd.h>
#include "datapath/tap.h"
#include "ofproto/of.h"
#include "openvswitch/dynamic-string.h"
#include "openvswitch/list.h"
#include "openvswitch/poll-loop.h"
#include "ovs-thread.h"
#include "socket-util.h"
#include "timeval.h"
#include "unixctl.h"
#include "util.h"

enum { MAX_SECONDS = 3600, SAMPLE = 16 };

/* A command that waits for its time to be over. */
struct profiling {
    struct ovs_list node;       /* In 'all'. */
    struct unixctl_conn *conn;
    struct of_bridge *bridge;
    char *folded, *svg;         /* Where to; or null. */
    struct dp_tap *tap;
    long long int start, deadline;      /* In ms. */
    unsigned sample;

    struct ovs_mutex mutex;
    struct of_profile profile OVS_GUARDED;
};

static struct ovs_list all = OVS_LIST_INITIALIZER(&all);

/* On workers. */

static bool
want(const uint8_t *data OVS_UNUSED, size_t size OVS_UNUSED, void *p_)
{
    static __thread unsigned int n;
    const struct profiling *p = p_;

    return n++ % p->sample == 0;
}

static void
done(const struct dp_tap_record *r, void *p_)
{
    struct profiling *p = p_;

    ovs_mutex_lock(&p->mutex);
    of_profile_add(&p->profile, r);
    ovs_mutex_unlock(&p->mutex);
}

/* The main thread. */

static char *
write_file(const char *name, const struct ds *text)
{
    int fd = open(name, O_WRONLY | O_CREAT | O_TRUNC | O_CLOEXEC, 0644);
    size_t n;
    int error = fd < 0 ? errno : write_fully(fd, text->string, text->length,
                                             &n);

    if (fd >= 0) {
        close(fd);
    }
    return (error ? xasprintf("%s: cannot be written (%s)", name,
                              ovs_strerror(error)) : NULL);
}

/* Puts the text that 'format' makes where 'target' says: into the answer 's',
 * or into a file, which the answer then names. */
static char *
deliver(struct profiling *p, const char *target,
        void (*format)(const struct of_profile *, struct ds *), struct ds *s)
    OVS_REQUIRES(p->mutex)
{
    struct ds text = DS_EMPTY_INITIALIZER;
    char *error;

    if (!target) {
        return NULL;
    } else if (!strcmp(target, "-")) {
        ds_clear(s);
        format(&p->profile, s);
        return NULL;
    }
    format(&p->profile, &text);
    error = write_file(target, &text);
    ds_destroy(&text);
    return error;
}

static void
reply(struct profiling *p)
{
    struct ds s = DS_EMPTY_INITIALIZER;
    char *error;

    ovs_mutex_lock(&p->mutex);
    p->profile.bridge = p->bridge->dpif.up.name;
    p->profile.sample = p->sample;
    p->profile.seconds = (time_msec() - p->start) / 1e3;
    of_profile_name_rules(&p->profile, p->bridge);
    of_profile_format(&p->profile, &s);
    error = deliver(p, p->folded, of_profile_format_folded, &s);
    if (!error) {
        error = deliver(p, p->svg, of_profile_format_svg, &s);
    }
    ovs_mutex_unlock(&p->mutex);
    if (error) {
        unixctl_command_reply_error(p->conn, error);
        free(error);
    } else {
        unixctl_command_reply(p->conn, ds_cstr(&s));
    }
    ds_destroy(&s);
}

static void
destroy(struct profiling *p)
{
    ovs_mutex_lock(&p->mutex);
    of_profile_uninit(&p->profile);
    ovs_mutex_unlock(&p->mutex);
    ovs_mutex_destroy(&p->mutex);
    free(p->folded);
    free(p->svg);
    free(p);
}

static void
finish(struct profiling *p)
{
    dp_tap_del(p->tap);
    reply(p);
    ovs_list_remove(&p->node);
    destroy(p);
}

void
of_profile_cmd_run(void)
{
    struct profiling *p;

    LIST_FOR_EACH_SAFE (p, node, &all) {
        if (time_msec() >= p->deadline) {
            finish(p);
        }
    }
}

void
of_profile_cmd_wait(void)
{
    struct profiling *p;

    LIST_FOR_EACH (p, node, &all) {
        poll_timer_wait_until(p->deadline);
    }
}

void
of_profile_cmd_forget(struct of_bridge *bridge)
{
    struct profiling *p;

    LIST_FOR_EACH_SAFE (p, node, &all) {
        if (p->bridge == bridge) {
            finish(p);
        }
    }
}

static char *
set_target(char **targetp, const char *value)
{
    if (strcmp(value, "-") && value[0] != '/') {
        return xasprintf("%s: the daemon wants an absolute name, or -",
                         value);
    }
    free(*targetp);
    *targetp = xstrdup(value);
    return NULL;
}

static char *
parse_options(struct profiling *p, int argc, const char *argv[])
{
    for (int i = 3; i < argc; i += 2) {
        const char *value = argv[i + 1];
        char *error = NULL;

        if (i + 1 >= argc) {
            return xasprintf("%s: has no value", argv[i]);
        } else if (!strcmp(argv[i], "--folded")) {
            error = set_target(&p->folded, value);
        } else if (!strcmp(argv[i], "--svg")) {
            error = set_target(&p->svg, value);
        } else if (strcmp(argv[i], "--sample")) {
            error = xasprintf("%s: unknown option", argv[i]);
        } else if (!str_to_uint(value, 10, &p->sample) || !p->sample) {
            error = xasprintf("%s: a number from 1 on is expected", value);
        }
        if (error) {
            return error;
        }
    }
    return NULL;
}

static char *
start(struct profiling *p, int argc, const char *argv[])
{
    struct dp_tap_attr attr = { .want = want, .done = done, .aux = p };
    int seconds, err;
    char *error;

    p->bridge = of_bridge_lookup(argv[1]);
    if (!p->bridge) {
        return xasprintf("%s: unknown bridge", argv[1]);
    }
    if (!str_to_int(argv[2], 10, &seconds) || seconds < 1
        || seconds > MAX_SECONDS) {
        return xasprintf("%s: a number of seconds from 1 to %d is expected",
                         argv[2], MAX_SECONDS);
    }
    error = parse_options(p, argc, argv);
    if (error) {
        return error;
    }
    p->start = time_msec();
    p->deadline = p->start + seconds * 1000LL;
    err = dp_tap_add(p->bridge->dpb, &attr, &p->tap);
    return (err ? xasprintf("cannot look at packets (%s)", ovs_strerror(-err))
            : NULL);
}

static void
pipeline_profile(struct unixctl_conn *conn, int argc, const char *argv[],
                 void *aux OVS_UNUSED)
{
    struct profiling *p = xzalloc(sizeof *p);
    char *error;

    p->conn = conn;
    p->sample = SAMPLE;
    ovs_mutex_init(&p->mutex);
    ovs_mutex_lock(&p->mutex);
    of_profile_init(&p->profile);
    ovs_mutex_unlock(&p->mutex);
    error = start(p, argc, argv);
    if (error) {
        unixctl_command_reply_error(conn, error);
        free(error);
        destroy(p);
    } else {
        ovs_list_push_back(&all, &p->node);
    }
}

void
of_profile_cmd_init(void)
{
    unixctl_command_register("pipeline/profile",
                             "bridge seconds [--sample N] [--folded FILE|-] "
                             "[--svg FILE|-]", 2, 8, pipeline_profile, NULL);
}
