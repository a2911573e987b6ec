/* SPDX-License-Identifier: Apache-2.0 */

#include "datapath/xdp-attach.h"

#include <bpf/bpf.h>
#include <bpf/libbpf.h>
#include <errno.h>
#include <inttypes.h>
#include <linux/if_link.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <unistd.h>
#include <xdp/libxdp.h>
#include "dirs.h"
#include "openvswitch/vlog.h"
#include "ovs-thread.h"
#include "util.h"

VLOG_DEFINE_THIS_MODULE(dp_xdp);

/* How libxdp calls the program. */
static const char *const names[] = { "xsk_def_prog", "xsk_def_xdp_prog" };

struct dp_xdp {
    struct xdp_program *prog;
    int ifindex;
    enum xdp_attach_mode mode;
    int map_fd; /* The program's. */
};

/* What is attached now: the journal's lines. */
struct entry {
    int ifindex;
    uint32_t id;
};
static struct entry *entries;
static size_t n_entries, allocated_entries;

static char *
journal_name(void)
{
    return xasprintf("%s/bvs-xdp", ovs_rundir());
}

static void
write_journal(void)
{
    char *name = journal_name();
    FILE *file;

    if (!n_entries) {
        unlink(name);
        free(name);
        return;
    }
    file = fopen(name, "w");
    if (file) {
        for (size_t i = 0; i < n_entries; i++) {
            fprintf(file, "%d %"PRIu32"\n", entries[i].ifindex,
                    entries[i].id);
        }
    }
    if (!file || fclose(file)) {
        VLOG_WARN("%s: cannot be written (%s); should this process be "
                  "killed, its XDP programs stay", name, ovs_strerror(errno));
    }
    free(name);
}

static bool
is_ours(const struct xdp_program *prog, uint32_t id)
{
    const char *name = xdp_program__name(prog);

    for (size_t i = 0; i < ARRAY_SIZE(names); i++) {
        /* The kernel keeps 15 characters. */
        if (name && !strncmp(name, names[i], 15)) {
            return xdp_program__id(prog) == id;
        }
    }
    return false;
}

/* The program 'id' on 'ifindex' if it is one of ours; the caller closes
 * '*mpp'. */
static struct xdp_program *
find(int ifindex, uint32_t id, struct xdp_multiprog **mpp)
{
    struct xdp_multiprog *mp = xdp_multiprog__get_from_ifindex(ifindex);
    struct xdp_program *prog = NULL;

    *mpp = NULL;
    if (libxdp_get_error(mp)) {
        return NULL;
    }
    *mpp = mp;
    if (xdp_multiprog__is_legacy(mp)) {
        prog = xdp_multiprog__main_prog(mp);
        return prog && is_ours(prog, id) ? prog : NULL;
    }
    while ((prog = xdp_multiprog__next_prog(prog, mp))) {
        if (is_ours(prog, id)) {
            return prog;
        }
    }
    return NULL;
}

static void
recover(int ifindex, uint32_t id)
{
    struct xdp_multiprog *mp;
    struct xdp_program *prog = find(ifindex, id, &mp);

    if (prog) {
        int error = xdp_program__detach(prog, ifindex,
                                        xdp_multiprog__attach_mode(mp), 0);

        VLOG_INFO("XDP program %"PRIu32" of a process that was killed %s on "
                  "device %d", id, error ? "cannot be detached"
                                         : "was detached", ifindex);
    }
    if (mp) {
        xdp_multiprog__close(mp);
    }
}

void
dp_xdp_recover(void)
{
    static struct ovsthread_once once = OVSTHREAD_ONCE_INITIALIZER;

    if (ovsthread_once_start(&once)) {
        char *name = journal_name();
        FILE *file = fopen(name, "r");

        libxdp_set_print(NULL);
        libbpf_set_print(NULL);
        if (file) {
            uint32_t id;
            int ifindex;

            while (fscanf(file, "%d %"SCNu32, &ifindex, &id) == 2) {
                recover(ifindex, id);
            }
            fclose(file);
            unlink(name);
        }
        free(name);
        ovsthread_once_done(&once);
    }
}

static void
note(int ifindex, uint32_t id)
{
    if (n_entries >= allocated_entries) {
        entries = x2nrealloc(entries, &allocated_entries, sizeof *entries);
    }
    entries[n_entries].ifindex = ifindex;
    entries[n_entries++].id = id;
    write_journal();
}

static void
forget(int ifindex, uint32_t id)
{
    for (size_t i = 0; i < n_entries; i++) {
        if (entries[i].ifindex == ifindex && entries[i].id == id) {
            entries[i] = entries[--n_entries];
            write_journal();
            break;
        }
    }
    if (!n_entries) {
        free(entries);
        entries = NULL;
        allocated_entries = 0;
    }
}

int
dp_xdp_attach(int ifindex, bool generic, struct dp_xdp **xdpp)
{
    struct dp_xdp *xdp;
    struct xdp_program *prog;
    int error;

    prog = xdp_program__find_file("xsk_def_xdp_prog.o", NULL, NULL);
    error = libxdp_get_error(prog);
    if (error) {
        VLOG_WARN("xsk_def_xdp_prog.o, which comes with libxdp, cannot be "
                  "opened (%s)",
                  ovs_strerror(-error));
        return error;
    }
    xdp = xzalloc(sizeof *xdp);
    xdp->prog = prog;
    xdp->ifindex = ifindex;
    xdp->mode = generic ? XDP_MODE_SKB : XDP_MODE_NATIVE;
    error = xdp_program__attach(prog, ifindex, xdp->mode, 0);
    if (error) {
        xdp_program__close(prog);
        free(xdp);
        return error == -EEXIST ? -EBUSY : error;
    }
    xdp->map_fd = bpf_object__find_map_fd_by_name(xdp_program__bpf_obj(prog),
                                                  "xsks_map");
    note(ifindex, xdp_program__id(prog));
    *xdpp = xdp;
    return 0;
}

int
dp_xdp_map_fd(const struct dp_xdp *xdp)
{
    return xdp->map_fd;
}

void
dp_xdp_detach(struct dp_xdp *xdp)
{
    uint32_t flags, attached = 0, id;

    if (!xdp) {
        return;
    }
    id = xdp_program__id(xdp->prog);
    flags = (xdp->mode == XDP_MODE_SKB ? XDP_FLAGS_SKB_MODE
                                       : XDP_FLAGS_DRV_MODE);
    if (!bpf_xdp_query_id(xdp->ifindex, flags, &attached) && attached) {
        if (attached == id) {
            /* Alone.  libxdp's function for that forgets to close a file. */
            bpf_xdp_detach(xdp->ifindex, flags, NULL);
        } else {
            xdp_program__detach(xdp->prog, xdp->ifindex, xdp->mode, 0);
        }
    }
    forget(xdp->ifindex, id);
    xdp_program__close(xdp->prog);
    free(xdp);
}
