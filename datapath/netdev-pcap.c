/* SPDX-License-Identifier: Apache-2.0 */

#include "datapath/netdev-pcap.h"

#include <errno.h>
#include <inttypes.h>
#include <pcap/pcap.h>
#include <stdlib.h>
#include <string.h>
#include "datapath/pcap-file.h"
#include "dp-packet.h"
#include "hash.h"
#include "netdev-provider.h"
#include "openvswitch/poll-loop.h"
#include "ovs-thread.h"
#include "packets.h"
#include "seq.h"
#include "smap.h"
#include "timeval.h"
#include "util.h"

enum {
    HEADROOM = 128,
    MAX_PACKET = 65535 - HEADROOM,      /* Longer ones are rx_errors. */
    DEFAULT_MTU = 1500
};
#define DEFAULT_FORM "pcap"

struct netdev_pcap {
    struct netdev up;
    struct ovs_mutex mutex;     /* Guards all that follows. */
    struct seq *seq;            /* Changes with the configuration. */
    struct eth_addr mac;
    int mtu;
    enum netdev_flags flags;
    struct netdev_stats stats;

    char *rx_name, *tx_name;    /* Null: none. */
    bool loop, real_time;

    pcap_t *rx;                 /* Null: none, or at its end. */
    bool have_next;             /* A packet was read and is not yet due. */
    const struct pcap_pkthdr *next;
    const u_char *next_data;
    long long int first_ns;     /* Time stamp of the first packet... */
    long long int start_ns;     /* ...and when it was, or will be, given. */
    long long int n_rounds;     /* Times the file was read to its end. */
    char *rx_error;             /* Reading failed later on. */

    enum dp_pcap_form form;
    uint32_t snaplen;
    struct dp_pcap_writer *tx; /* Null: none. */
};

struct netdev_pcap_rxq {
    struct netdev_rxq up;
};

static struct netdev_pcap *
netdev_pcap_cast(const struct netdev *netdev)
{
    return CONTAINER_OF(netdev, struct netdev_pcap, up);
}

/* Files. */

static pcap_t *
open_capture(const char *name, char **errorp)
{
    char *why;
    pcap_t *pcap = dp_pcap_open(name, &why);

    if (!pcap) {
        *errorp = xasprintf("rx_pcap: %s", why);
        free(why);
    }
    return pcap;
}

/* Reads 'name' to its end.  The number of packets, or -1 with a sentence. */
static long long int
check_capture(const char *name, char **errorp)
{
    pcap_t *pcap = open_capture(name, errorp);
    struct pcap_pkthdr *header;
    long long int n = 0;
    const u_char *data;
    int retval;

    if (!pcap) {
        return -1;
    }
    while ((retval = pcap_next_ex(pcap, &header, &data)) == 1) {
        n++;
    }
    if (retval != PCAP_ERROR_BREAK) {
        *errorp = xasprintf("rx_pcap: %s: packet %lld: %s", name, n + 1,
                            pcap_geterr(pcap));
        n = -1;
    }
    pcap_close(pcap);
    return n;
}

static void
close_rx(struct netdev_pcap *dev)
{
    if (dev->rx) {
        pcap_close(dev->rx);
        dev->rx = NULL;
    }
    dev->have_next = false;
}

static void
close_tx(struct netdev_pcap *dev)
{
    dp_pcap_close(dev->tx);
    dev->tx = NULL;
}

/* Reading. */

static long long int
now_ns(void)
{
    return time_usec() * 1000LL;
}

static void
stop_rx(struct netdev_pcap *dev, char *error)
{
    close_rx(dev);
    free(dev->rx_error);
    dev->rx_error = error;
    if (error) {
        dev->stats.rx_errors++;
    }
    netdev_change_seq_changed(&dev->up);
}

/* Has the next packet read, if there is one. */
static bool
read_next(struct netdev_pcap *dev)
{
    for (int attempt = 0; attempt < 2; attempt++) {
        struct pcap_pkthdr *header;
        char *error = NULL;
        int retval;

        if (dev->have_next || !dev->rx) {
            return dev->have_next;
        }
        retval = pcap_next_ex(dev->rx, &header, &dev->next_data);
        if (retval == 1) {
            dev->next = header;
            dev->have_next = true;
            if (dev->first_ns < 0) {
                dev->first_ns = dp_pcap_ns(header);
                dev->start_ns = now_ns();
            }
            return true;
        } else if (retval != PCAP_ERROR_BREAK) {
            stop_rx(dev, xasprintf("rx_pcap: %s: %s", dev->rx_name,
                                   pcap_geterr(dev->rx)));
        } else if (!dev->loop) {
            stop_rx(dev, NULL);
        } else {
            dev->n_rounds++;
            close_rx(dev);
            dev->first_ns = -1;
            dev->rx = open_capture(dev->rx_name, &error);
            if (!dev->rx) {
                stop_rx(dev, error);
            }
        }
    }
    return false;               /* An empty file, again and again. */
}

static long long int
due_ns(const struct netdev_pcap *dev)
{
    return (dev->real_time
            ? dev->start_ns + dp_pcap_ns(dev->next) - dev->first_ns
            : 0);
}

static struct netdev_rxq *
netdev_pcap_rxq_alloc(void)
{
    struct netdev_pcap_rxq *rxq = xzalloc(sizeof *rxq);

    return &rxq->up;
}

static int
netdev_pcap_rxq_construct(struct netdev_rxq *rxq OVS_UNUSED)
{
    return 0;
}

static void
netdev_pcap_rxq_destruct(struct netdev_rxq *rxq OVS_UNUSED)
{
}

static void
netdev_pcap_rxq_dealloc(struct netdev_rxq *rxq)
{
    free(CONTAINER_OF(rxq, struct netdev_pcap_rxq, up));
}

static int
netdev_pcap_rxq_recv(struct netdev_rxq *rxq, struct dp_packet_batch *batch,
                     int *qfill)
{
    struct netdev_pcap *dev = netdev_pcap_cast(rxq->netdev);
    long long int now = 0;

    ovs_mutex_lock(&dev->mutex);
    while (!dp_packet_batch_is_full(batch) && read_next(dev)) {
        size_t size = dev->next->caplen;

        if (!now) {
            now = now_ns();
        }
        if (due_ns(dev) > now) {
            break;
        }
        dev->have_next = false;
        if (size > MAX_PACKET || size < ETH_HEADER_LEN) {
            dev->stats.rx_errors++;
            dev->stats.rx_length_errors++;
            continue;
        }
        dp_packet_batch_add(batch, dp_packet_clone_data_with_headroom(
                                dev->next_data, size, HEADROOM));
        dev->stats.rx_packets++;
        dev->stats.rx_bytes += size;
    }
    ovs_mutex_unlock(&dev->mutex);
    if (qfill) {
        *qfill = -ENOTSUP;
    }
    return dp_packet_batch_is_empty(batch) ? EAGAIN : 0;
}

static void
netdev_pcap_rxq_wait(struct netdev_rxq *rxq)
{
    struct netdev_pcap *dev = netdev_pcap_cast(rxq->netdev);
    uint64_t seq = seq_read(dev->seq);

    ovs_mutex_lock(&dev->mutex);
    if (!read_next(dev)) {
        seq_wait(dev->seq, seq);
    } else if (dev->real_time) {
        poll_timer_wait_until((due_ns(dev) + 999999) / 1000000);
        seq_wait(dev->seq, seq);
    } else {
        poll_immediate_wake();
    }
    ovs_mutex_unlock(&dev->mutex);
}

static int
netdev_pcap_rxq_drain(struct netdev_rxq *rxq OVS_UNUSED)
{
    return 0;                   /* What is in a file is not waiting. */
}

/* Writing. */

static int
netdev_pcap_send(struct netdev *netdev, int qid OVS_UNUSED,
                 struct dp_packet_batch *batch, bool concurrent OVS_UNUSED)
{
    struct netdev_pcap *dev = netdev_pcap_cast(netdev);
    struct dp_packet *packet;
    struct timespec now;
    int error = 0;

    time_wall_timespec(&now);
    ovs_mutex_lock(&dev->mutex);
    DP_PACKET_BATCH_FOR_EACH (i, packet, batch) {
        size_t size = dp_packet_size(packet);

        if (dev->tx) {
            dp_pcap_write(dev->tx, now.tv_sec * 1000000000LL + now.tv_nsec,
                          dp_packet_data(packet), size);
        }
        dev->stats.tx_packets++;
        dev->stats.tx_bytes += size;
    }
    if (dev->tx && dp_pcap_flush(dev->tx)) {
        /* A full disk, for instance. */
        dev->stats.tx_errors++;
        error = EIO;
    }
    ovs_mutex_unlock(&dev->mutex);
    dp_packet_delete_batch(batch, true);
    return error;
}

/* Configuration. */

static bool
same_name(const char *a, const char *b)
{
    return a && b ? !strcmp(a, b) : a == b;
}

static char *
copy_name(const char *name)
{
    return name ? xstrdup(name) : NULL;
}

/* 'smap' has valid values; opens what changed.  Returns a positive errno,
 * and nothing has changed then. */
static int
reopen(struct netdev_pcap *dev, const struct smap *args, char **errorp)
{
    const char *rx_name = smap_get(args, "rx_pcap");
    const char *tx_name = smap_get(args, "tx_pcap");
    bool real_time = strcmp(smap_get_def(args, "rate", "real"), "max");
    bool loop = smap_get_bool(args, "loop", false);
    enum dp_pcap_form form = dp_pcap_form_from_name(
        smap_get_def(args, "tx_format", DEFAULT_FORM));
    uint32_t snaplen = smap_get_uint(args, "snaplen", DP_PCAP_MAX_SNAPLEN);
    bool new_rx = (!same_name(rx_name, dev->rx_name) || loop != dev->loop
                   || real_time != dev->real_time);
    pcap_t *rx = NULL;

    if (new_rx && rx_name) {
        if (check_capture(rx_name, errorp) < 0) {
            return EINVAL;
        }
        rx = open_capture(rx_name, errorp);
        if (!rx) {
            return EINVAL;
        }
    }
    if (!same_name(tx_name, dev->tx_name) || form != dev->form
        || snaplen != dev->snaplen) {
        struct dp_pcap_writer *tx = NULL;
        char *why;

        if (tx_name) {
            tx = dp_pcap_create(tx_name, form, snaplen, &why);
            if (!tx) {
                *errorp = xasprintf("tx_pcap: %s", why);
                free(why);
                if (rx) {
                    pcap_close(rx);
                }
                return EINVAL;
            }
            dp_pcap_flush(tx);
        }
        close_tx(dev);
        dev->tx = tx;
        dev->form = form;
        dev->snaplen = snaplen;
        free(dev->tx_name);
        dev->tx_name = copy_name(tx_name);
    }
    if (new_rx) {
        close_rx(dev);
        free(dev->rx_error);
        dev->rx_error = NULL;
        dev->rx = rx;
        dev->first_ns = -1;
        dev->n_rounds = 0;
        dev->loop = loop;
        dev->real_time = real_time;
        free(dev->rx_name);
        dev->rx_name = copy_name(rx_name);
    }
    return 0;
}

/* The name of an option that there is not, or null. */
static const char *
unknown_option(const struct smap *args)
{
    static const char *const known[] = { "rx_pcap", "tx_pcap",   "loop",
                                         "rate",    "tx_format", "snaplen" };
    const struct smap_node *node;

    SMAP_FOR_EACH (node, args) {
        size_t i;

        for (i = 0; i < ARRAY_SIZE(known); i++) {
            if (!strcmp(node->key, known[i])) {
                break;
            }
        }
        if (i >= ARRAY_SIZE(known)) {
            return node->key;
        }
    }
    return NULL;
}

static bool
is_snaplen(const char *text)
{
    unsigned int n;

    return str_to_uint(text, 10, &n) && n && n <= DP_PCAP_MAX_SNAPLEN;
}

static int
netdev_pcap_set_config(struct netdev *netdev, const struct smap *args,
                       char **errorp)
{
    struct netdev_pcap *dev = netdev_pcap_cast(netdev);
    const char *rate = smap_get_def(args, "rate", "real");
    const char *loop = smap_get_def(args, "loop", "false");
    const char *form = smap_get_def(args, "tx_format", DEFAULT_FORM);
    const char *snaplen = smap_get(args, "snaplen");
    const char *unknown = unknown_option(args);
    char *sentence = NULL;
    int error;

    if (unknown) {
        sentence = xasprintf("%s: no such option (there are rx_pcap, "
                             "tx_pcap, loop, rate, tx_format and snaplen)",
                             unknown);
        error = EINVAL;
    } else if (strcmp(rate, "real") && strcmp(rate, "max")) {
        sentence = xasprintf("rate: '%s' is neither 'real' nor 'max'", rate);
        error = EINVAL;
    } else if (strcmp(loop, "true") && strcmp(loop, "false")) {
        sentence = xasprintf("loop: '%s' is neither 'true' nor 'false'", loop);
        error = EINVAL;
    } else if (dp_pcap_form_from_name(form) == DP_N_PCAP_FORMS) {
        sentence = xasprintf("tx_format: '%s' is neither 'pcap', 'pcap-usec' "
                             "nor 'pcapng'",
                             form);
        error = EINVAL;
    } else if (snaplen && !is_snaplen(snaplen)) {
        sentence = xasprintf("snaplen: '%s' is not a number from 1 to %d",
                             snaplen, DP_PCAP_MAX_SNAPLEN);
        error = EINVAL;
    } else {
        ovs_mutex_lock(&dev->mutex);
        error = reopen(dev, args, &sentence);
        ovs_mutex_unlock(&dev->mutex);
        seq_change(dev->seq);
    }
    if (error && errorp) {
        *errorp = xasprintf("%s: %s", netdev_get_name(netdev), sentence);
    }
    free(sentence);
    return error;
}

static int
netdev_pcap_get_config(const struct netdev *netdev, struct smap *args)
{
    struct netdev_pcap *dev = netdev_pcap_cast(netdev);

    ovs_mutex_lock(&dev->mutex);
    if (dev->rx_name) {
        smap_add(args, "rx_pcap", dev->rx_name);
    }
    if (dev->tx_name) {
        smap_add(args, "tx_pcap", dev->tx_name);
    }
    smap_add(args, "loop", dev->loop ? "true" : "false");
    smap_add(args, "rate", dev->real_time ? "real" : "max");
    smap_add(args, "tx_format", dp_pcap_form_name(dev->form));
    smap_add_format(args, "snaplen", "%" PRIu32, dev->snaplen);
    ovs_mutex_unlock(&dev->mutex);
    return 0;
}

static int
netdev_pcap_get_status(const struct netdev *netdev, struct smap *status)
{
    struct netdev_pcap *dev = netdev_pcap_cast(netdev);

    ovs_mutex_lock(&dev->mutex);
    smap_add(status, "rx_state", dev->rx_error ? dev->rx_error
             : dev->rx ? "reading" : dev->rx_name ? "at the end" : "none");
    smap_add_format(status, "rx_rounds", "%lld", dev->n_rounds);
    ovs_mutex_unlock(&dev->mutex);
    return 0;
}

static int
netdev_pcap_get_stats(const struct netdev *netdev, struct netdev_stats *stats)
{
    struct netdev_pcap *dev = netdev_pcap_cast(netdev);

    ovs_mutex_lock(&dev->mutex);
    memset(stats, 0, sizeof *stats);
    stats->rx_packets = dev->stats.rx_packets;
    stats->rx_bytes = dev->stats.rx_bytes;
    stats->rx_errors = dev->stats.rx_errors;
    stats->rx_length_errors = dev->stats.rx_length_errors;
    stats->tx_packets = dev->stats.tx_packets;
    stats->tx_bytes = dev->stats.tx_bytes;
    stats->tx_errors = dev->stats.tx_errors;
    ovs_mutex_unlock(&dev->mutex);
    return 0;
}

static int
netdev_pcap_set_etheraddr(struct netdev *netdev, const struct eth_addr mac)
{
    struct netdev_pcap *dev = netdev_pcap_cast(netdev);

    ovs_mutex_lock(&dev->mutex);
    dev->mac = mac;
    ovs_mutex_unlock(&dev->mutex);
    netdev_change_seq_changed(netdev);
    return 0;
}

static int
netdev_pcap_get_etheraddr(const struct netdev *netdev, struct eth_addr *mac)
{
    struct netdev_pcap *dev = netdev_pcap_cast(netdev);

    ovs_mutex_lock(&dev->mutex);
    *mac = dev->mac;
    ovs_mutex_unlock(&dev->mutex);
    return 0;
}

static int
netdev_pcap_get_mtu(const struct netdev *netdev, int *mtu)
{
    struct netdev_pcap *dev = netdev_pcap_cast(netdev);

    ovs_mutex_lock(&dev->mutex);
    *mtu = dev->mtu;
    ovs_mutex_unlock(&dev->mutex);
    return 0;
}

static int
netdev_pcap_set_mtu(struct netdev *netdev, int mtu)
{
    struct netdev_pcap *dev = netdev_pcap_cast(netdev);

    if (mtu < 68 || mtu > MAX_PACKET - ETH_HEADER_LEN) {
        return EINVAL;
    }
    ovs_mutex_lock(&dev->mutex);
    dev->mtu = mtu;
    ovs_mutex_unlock(&dev->mutex);
    netdev_change_seq_changed(netdev);
    return 0;
}

static int
netdev_pcap_get_carrier(const struct netdev *netdev OVS_UNUSED, bool *carrier)
{
    *carrier = true;
    return 0;
}

static int
netdev_pcap_update_flags(struct netdev *netdev, enum netdev_flags off,
                         enum netdev_flags on, enum netdev_flags *old)
{
    struct netdev_pcap *dev = netdev_pcap_cast(netdev);
    bool changed;

    ovs_mutex_lock(&dev->mutex);
    *old = dev->flags;
    dev->flags = (dev->flags | on) & ~off;
    changed = *old != dev->flags;
    ovs_mutex_unlock(&dev->mutex);
    if (changed) {
        netdev_change_seq_changed(netdev);
    }
    return 0;
}

/* Life. */

static struct netdev *
netdev_pcap_alloc(void)
{
    struct netdev_pcap *dev = xzalloc(sizeof *dev);

    return &dev->up;
}

static int
netdev_pcap_construct(struct netdev *netdev)
{
    struct netdev_pcap *dev = netdev_pcap_cast(netdev);
    uint32_t hash = hash_string(netdev_get_name(netdev), 0);

    ovs_mutex_init(&dev->mutex);
    dev->seq = seq_create();

    /* The same name has the same address, locally administered. */
    dev->mac = (struct eth_addr) ETH_ADDR_C(aa,55,00,00,00,00);
    memcpy(&dev->mac.ea[2], &hash, sizeof hash);
    dev->mtu = DEFAULT_MTU;
    dev->flags = NETDEV_UP;
    dev->real_time = true;
    dev->first_ns = -1;
    dev->form = dp_pcap_form_from_name(DEFAULT_FORM);
    dev->snaplen = DP_PCAP_MAX_SNAPLEN;
    netdev->n_rxq = 1;
    netdev->n_txq = 1;
    return 0;
}

static void
netdev_pcap_destruct(struct netdev *netdev)
{
    struct netdev_pcap *dev = netdev_pcap_cast(netdev);

    close_rx(dev);
    close_tx(dev);
    free(dev->rx_name);
    free(dev->tx_name);
    free(dev->rx_error);
    seq_destroy(dev->seq);
    ovs_mutex_destroy(&dev->mutex);
}

static void
netdev_pcap_dealloc(struct netdev *netdev)
{
    free(netdev_pcap_cast(netdev));
}

static const struct netdev_class netdev_pcap_class = {
    .type = "pcap",
    .alloc = netdev_pcap_alloc,
    .construct = netdev_pcap_construct,
    .destruct = netdev_pcap_destruct,
    .dealloc = netdev_pcap_dealloc,
    .get_config = netdev_pcap_get_config,
    .set_config = netdev_pcap_set_config,
    .get_status = netdev_pcap_get_status,
    .send = netdev_pcap_send,
    .set_etheraddr = netdev_pcap_set_etheraddr,
    .get_etheraddr = netdev_pcap_get_etheraddr,
    .get_mtu = netdev_pcap_get_mtu,
    .set_mtu = netdev_pcap_set_mtu,
    .get_carrier = netdev_pcap_get_carrier,
    .get_stats = netdev_pcap_get_stats,
    .update_flags = netdev_pcap_update_flags,
    .rxq_alloc = netdev_pcap_rxq_alloc,
    .rxq_construct = netdev_pcap_rxq_construct,
    .rxq_destruct = netdev_pcap_rxq_destruct,
    .rxq_dealloc = netdev_pcap_rxq_dealloc,
    .rxq_recv = netdev_pcap_rxq_recv,
    .rxq_wait = netdev_pcap_rxq_wait,
    .rxq_drain = netdev_pcap_rxq_drain,
};

void
dp_netdev_pcap_register(void)
{
    static struct ovsthread_once once = OVSTHREAD_ONCE_INITIALIZER;

    if (ovsthread_once_start(&once)) {
        netdev_register_provider(&netdev_pcap_class);
        ovsthread_once_done(&once);
    }
}
