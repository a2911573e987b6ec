/* SPDX-License-Identifier: Apache-2.0 */

/* Controllers' messages, taken in batches.
 *
 * libofproto takes what has arrived on a connection, 50 messages at most,
 * once in each round of the main loop, and a round costs several times what a
 * message does: it looks after every bridge, device and database.  Who waits
 * for an answer before the next message (`ovs-ofctl add-flows' sends a
 * barrier behind each flow) pays for a round each time, and for the main
 * thread's way to sleep and back.
 *
 * So a connection that has just brought a message is asked again for a short
 * while, and libofproto is called again as long as there were messages, up to
 * a time that nobody else who waits for the main thread will notice. */

#include "ofproto/hooks.h"

#include <sched.h>
#include <time.h>
#include "ofproto/connmgr.h"
#include "openflow/openflow-common.h"
#include "openvswitch/ofpbuf.h"
#include "openvswitch/rconn.h"

enum {
    BATCH_US = 4000,            /* The longest time at once. */
    MAX_ROUNDS = 100,           /* Of looking for it. */
    LINGER_US = 60              /* For what may follow a message: about what
                                 * the other side needs to wake up twice. */
};

/* Main thread's. */
static unsigned long long int n_messages;
static long long int batch_end; /* Of the batch, in us; 0: no batch. */
static const struct rconn *busy; /* Brought the last message... */
static long long int busy_us;   /* ...at that time. */
static bool unusual;            /* of_messages_were_unusual(). */

static long long int
now_us(void)
{
    struct timespec ts;

    clock_gettime(CLOCK_MONOTONIC, &ts);
    return ts.tv_sec * 1000000LL + ts.tv_nsec / 1000;
}

/* Flows and barriers change nothing that libofproto would not tell. */
static bool
is_usual(const struct ofpbuf *msg)
{
    const struct ofp_header *oh = msg->data;
    bool is_barrier = oh->type == (oh->version == OFP10_VERSION ? 18 : 20);

    return oh->type == 14 || is_barrier;
}

static struct ofpbuf *
take(struct rconn *rconn)
{
    struct ofpbuf *msg = rconn_recv(rconn);

    if (msg) {
        n_messages++;
        unusual = unusual || !is_usual(msg);
        busy = rconn;
    }
    return msg;
}

struct ofpbuf *
of_hook_rconn_recv(struct rconn *rconn)
{
    bool was_busy = rconn == busy;
    struct ofpbuf *msg = take(rconn);
    long long int now;
    int rounds = 0;

    if (msg || !batch_end || !was_busy) {
        busy_us = 0;
        return msg;
    }
    busy = NULL;
    /* Rounds are counted, too: bvs-replay's clock stands still. */
    do {
        now = now_us();
        busy_us = busy_us ? busy_us : now;
        if (now >= batch_end || now >= busy_us + LINGER_US
            || ++rounds > MAX_ROUNDS) {
            return NULL;
        }
        sched_yield();
        msg = take(rconn);
    } while (!msg);
    busy_us = 0;
    return msg;
}

void
of_hook_connmgr_run(struct connmgr *mgr,
                    void (*handle)(struct ofconn *, const struct ovs_list *))
{
    unsigned long long int before;

    batch_end = now_us() + BATCH_US;
    do {
        before = n_messages;
        connmgr_run(mgr, handle);
    } while (n_messages != before && now_us() < batch_end);
    batch_end = 0;
    busy = NULL;
}

bool
of_messages_were_unusual(void)
{
    bool were = unusual;

    unusual = false;
    return were;
}
