/* SPDX-License-Identifier: Apache-2.0 */

#include "datapath/xdp-attach.h"

#include <bpf/libbpf.h>
#include <errno.h>
#include <inttypes.h>
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

/* The program on 'ifindex' that 'fits'; the caller closes '*mpp'. */
static struct xdp_program *
find(int ifindex, bool (*fits)(const struct xdp_program *, uint32_t),
     uint32_t id, struct xdp_multiprog **mpp)
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
        return prog && fits(prog, id) ? prog : NULL;
    }
    while ((prog = xdp_multiprog__next_prog(prog, mp))) {
        if (fits(prog, id)) {
            return prog;
        }
    }
    return NULL;
}

static bool
has_name(const struct xdp_program *prog, uint32_t id OVS_UNUSED)
{
    const char *name = xdp_program__name(prog);

    for (size_t i = 0; i < ARRAY_SIZE(names); i++) {
        /* The kernel keeps 15 characters. */
        if (name && !strncmp(name, names[i], 15)) {
            return true;
        }
    }
    return false;
}

static bool
has_id(const struct xdp_program *prog, uint32_t id)
{
    return xdp_program__id(prog) == id && has_name(prog, id);
}

static void
detach(int ifindex, uint32_t id)
{
    struct xdp_multiprog *mp;
    struct xdp_program *prog = find(ifindex, has_id, id, &mp);

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
                detach(ifindex, id);
            }
            fclose(file);
            unlink(name);
        }
        free(name);
        ovsthread_once_done(&once);
    }
}

void
dp_xdp_note(int ifindex)
{
    struct xdp_multiprog *mp;
    struct xdp_program *prog = find(ifindex, has_name, 0, &mp);

    if (prog) {
        if (n_entries >= allocated_entries) {
            entries = x2nrealloc(entries, &allocated_entries,
                                 sizeof *entries);
        }
        entries[n_entries].ifindex = ifindex;
        entries[n_entries++].id = xdp_program__id(prog);
        write_journal();
    }
    if (mp) {
        xdp_multiprog__close(mp);
    }
}

void
dp_xdp_forget(int ifindex)
{
    for (size_t i = 0; i < n_entries; i++) {
        if (entries[i].ifindex == ifindex) {
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
