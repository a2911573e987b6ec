/* SPDX-License-Identifier: Apache-2.0 */

/* Captures: their life, their filters, and the thread that writes. */

#include "datapath/capture-private.h"

#include <errno.h>
#include <fcntl.h>
#include <pcap/pcap.h>
#include <poll.h>
#include <stdlib.h>
#include <string.h>
#include <sys/eventfd.h>
#include <sys/stat.h>
#include <unistd.h>
#include "datapath/bridge.h"
#include "datapath/ctx.h"
#include "ovs-thread.h"
#include "timeval.h"
#include "util.h"
#include "vm/cbpf.h"
#include "vm/emit.h"
#include "vm/prog.h"
#include "vm/verify.h"

/* How long a reader may take nothing once the capture is finished. */
enum { PATIENCE_MS = 3000 };

/* Filters are programs of a type of their own. */

struct filter_ctx {
    const uint8_t *data, *data_end;
};

static const struct vm_prog_type filter_type = {
    .name = "filter",
    .ctx_size = sizeof(struct filter_ctx),
    .members = (const struct vm_ctx_member[]) {
        { .name = "data", .off = 0, .size = 8, .kind = VM_CTX_PKT_DATA },
        { .name = "data_end", .off = 8, .size = 8, .kind = VM_CTX_PKT_END },
    },
    .n_members = 2,
    .gen_off = VM_NO_GEN,
};
_Static_assert(sizeof(struct vm_cbpf_insn) == sizeof(struct bpf_insn),
               "libpcap's instructions are ours");

static struct vm_prog *
load_filter(const struct bpf_program *classic,
            const struct vm_backend *backend, char **errorp)
{
    static const struct vm_cbpf_ctx ctx = {
        .data_off = 0, .data_end_off = 8, .ptr_size = 8,
    };
    struct vm_prog_attr attr = {
        .name = "filter", .type = &filter_type, .verify = vm_verify,
        .backend = backend,
    };
    struct vm_prog *prog = NULL;
    struct vm_emit e;
    struct vm_err err;

    vm_emit_init(&e);
    vm_cbpf_convert(&e, (const struct vm_cbpf_insn *) classic->bf_insns,
                    classic->bf_len, &ctx);
    if (vm_emit_finish(&e, &attr, &err) || vm_prog_load(&attr, &prog, &err)) {
        *errorp = xasprintf("filter: %s", err.text);
    }
    vm_emit_uninit(&e);
    return prog;
}

static struct vm_prog *
make_filter(const char *text, const struct vm_backend *backend,
            char **errorp)
{
    pcap_t *pcap = pcap_open_dead(DLT_EN10MB, DP_CAPTURE_SNAPLEN);
    struct vm_prog *prog = NULL;
    struct bpf_program classic;

    if (!pcap || pcap_compile(pcap, &classic, text, 1,
                              PCAP_NETMASK_UNKNOWN)) {
        *errorp = xasprintf("filter '%s': %s", text,
                            pcap ? pcap_geterr(pcap) : "no memory");
    } else {
        prog = load_filter(&classic, backend, errorp);
        pcap_freecode(&classic);
    }
    if (pcap) {
        pcap_close(pcap);
    }
    return prog;
}

/* On workers. */

static void
wake(struct dp_capture *c)
{
    const uint64_t one = 1;
    ssize_t n OVS_UNUSED = write(c->event_fd, &one, sizeof one);
}

static bool
has_enough(struct dp_capture *c)
{
    bool enough;

    ovs_mutex_lock(&c->mutex);
    enough = c->attr.count && c->packets >= c->attr.count;
    ovs_mutex_unlock(&c->mutex);
    return enough;
}

static bool
want(const uint8_t *data, size_t size, void *c_)
{
    struct filter_ctx ctx = { data, data + size };
    struct dp_capture *c = c_;

    return (!atomic_load_explicit(&c->finishing, memory_order_relaxed)
            && (!c->filter || vm_prog_run(c->filter, &ctx)));
}

static void
done(const struct dp_tap_record *r, void *c)
{
    if (dp_capture_put(c, r)) {
        wake(c);
    }
}

/* The thread. */

/* Waits until the descriptor takes something ('out'), or has lost its reader,
 * or the thread is woken; not for ever once the capture is finished. */
static void
wait_for(struct dp_capture *c, bool out)
{
    struct pollfd fds[] = {
        { .fd = c->event_fd, .events = POLLIN },
        { .fd = c->is_file && !out ? -1 : c->fd, .events = out ? POLLOUT : 0 },
    };
    uint64_t ignored;

    poll(fds, 2, atomic_load(&c->finishing) ? PATIENCE_MS : -1);
    if (fds[0].revents) {
        ssize_t n OVS_UNUSED = read(c->event_fd, &ignored, sizeof ignored);
    }
    if (fds[1].revents & (POLLERR | POLLHUP)) {
        atomic_store(&c->error, -EPIPE);
    }
}

static bool
is_broken(struct dp_capture *c)
{
    return atomic_load(&c->error) || atomic_load(&c->quitting);
}

static void
write_out(struct dp_capture *c, const uint8_t *data, size_t size)
{
    long long int last = time_msec();
    size_t n = 0;

    while (n < size && !is_broken(c)) {
        ssize_t sent = write(c->fd, data + n, size - n);

        if (sent >= 0) {
            n += sent;
            last = time_msec();
        } else if (errno != EAGAIN && errno != EINTR) {
            atomic_store(&c->error, -errno);
        } else if (!atomic_load(&c->finishing)
                   || time_msec() < last + PATIENCE_MS) {
            wait_for(c, true);
        } else {
            atomic_store(&c->error, -ETIMEDOUT);
        }
    }
}

/* Takes what workers have left; they go on with the buffer '*spare'. */
static size_t
take(struct dp_capture *c, uint8_t **spare)
{
    size_t n;

    ovs_mutex_lock(&c->mutex);
    n = c->n_fill;
    if (n) {
        uint8_t *full = c->fill;

        c->fill = *spare;
        c->n_fill = 0;
        *spare = full;
    }
    ovs_mutex_unlock(&c->mutex);
    return n;
}

static void *
capture_main(void *c_)
{
    struct dp_capture *c = c_;
    uint8_t *spare = xmalloc(DP_CAPTURE_BUFFER);

    while (!is_broken(c)) {
        bool last = atomic_load(&c->finishing) || has_enough(c);
        size_t n = take(c, &spare);

        if (n) {
            write_out(c, spare, n);
        } else if (last) {
            break;
        } else {
            wait_for(c, false);
        }
    }
    free(spare);
    atomic_store(&c->finishing, true);
    atomic_store(&c->ended, true);
    c->attr.ended(c->attr.aux);
    return NULL;
}

/* The main thread. */

static int
add_tap(struct dp_capture *c)
{
    struct dp_tap_attr attr = { .want = want, .done = done, .aux = c };

    if (c->attr.by_port && !c->attr.sent) {
        const union dp_key_port mask = { .in_port = UINT32_MAX };
        const union dp_key_port value = { .in_port = c->attr.port };

        attr.words[0] = (struct dp_tap_word) {
            DP_KEY_PORT, mask.word, value.word
        };
        attr.n_words = 1;
    }
    return dp_tap_add(c->attr.bridge, &attr, &c->tap);
}

static int
set_up(struct dp_capture *c, const char *filter, char **errorp)
{
    struct stat s;
    int error;

    c->is_file = !fstat(c->fd, &s) && S_ISREG(s.st_mode);
    fcntl(c->fd, F_SETFL, fcntl(c->fd, F_GETFL) | O_NONBLOCK);
    c->event_fd = eventfd(0, EFD_NONBLOCK | EFD_CLOEXEC);
    if (filter) {
        c->filter = make_filter(filter,
                                dp_bridge_slots(c->attr.bridge)->backend,
                                errorp);
        if (!c->filter) {
            return -EINVAL;
        }
    }
    error = c->event_fd < 0 ? -errno : add_tap(c);
    if (error) {
        *errorp = xasprintf("cannot look at packets (%s)",
                            ovs_strerror(-error));
    }
    return error;
}

static void
capture_free(struct dp_capture *c)
{
    vm_prog_unref(c->filter);
    ovs_mutex_destroy(&c->mutex);
    ds_destroy(&c->comment);
    free(c->fill);
    close(c->event_fd);
    close(c->attr.fd);
    free(c);
}

int
dp_capture_start(const struct dp_capture_attr *attr, struct dp_capture **cp,
                 char **errorp)
{
    struct dp_capture *c = xzalloc(sizeof *c);
    int error;

    *cp = NULL;
    c->attr = *attr;
    c->attr.filter = NULL;
    if (!attr->snaplen || attr->snaplen > DP_CAPTURE_SNAPLEN) {
        c->attr.snaplen = DP_CAPTURE_SNAPLEN;
    }
    c->fd = attr->fd;
    ovs_mutex_init(&c->mutex);
    ds_init(&c->comment);
    ovs_mutex_lock(&c->mutex);
    c->fill = xmalloc(DP_CAPTURE_BUFFER);
    dp_capture_put_head(c);
    ovs_mutex_unlock(&c->mutex);
    error = set_up(c, attr->filter, errorp);
    if (error) {
        capture_free(c);
        return error;
    }
    c->thread = ovs_thread_create("capture", capture_main, c);
    *cp = c;
    return 0;
}

void
dp_capture_finish(struct dp_capture *c)
{
    dp_tap_del(c->tap);
    c->tap = NULL;
    atomic_store(&c->finishing, true);
    wake(c);
}

bool
dp_capture_has_ended(const struct dp_capture *c)
{
    return atomic_load(&c->ended);
}

void
dp_capture_get_stats(struct dp_capture *c, struct dp_capture_stats *stats)
{
    ovs_mutex_lock(&c->mutex);
    stats->packets = c->packets;
    stats->lost = c->lost;
    ovs_mutex_unlock(&c->mutex);
    stats->error = atomic_load(&c->error);
}

void
dp_capture_destroy(struct dp_capture *c)
{
    if (c) {
        dp_capture_finish(c);
        atomic_store(&c->quitting, true);
        wake(c);
        xpthread_join(c->thread, NULL);
        capture_free(c);
    }
}
