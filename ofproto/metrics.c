/* SPDX-License-Identifier: Apache-2.0 */

#include <config.h>
#include "ofproto/metrics.h"

#include <errno.h>
#include <stdlib.h>
#include <string.h>
#include "openvswitch/dynamic-string.h"
#include "openvswitch/list.h"
#include "openvswitch/poll-loop.h"
#include "openvswitch/vlog.h"
#include "ofproto/metrics-request.h"
#include "smap.h"
#include "stream.h"
#include "timeval.h"
#include "util.h"

VLOG_DEFINE_THIS_MODULE(metrics);

enum {
    MAX_CLIENTS = 16,
    MAX_ACCEPTS = 16,           /* A round. */
    REQUEST_MS = 5000,          /* For a request to arrive. */
    ANSWER_MS = 30000,          /* For an answer to leave. */
    RENDER_MS = 100,            /* For which metrics are not made anew. */
    RETRY_MS = 5000             /* For an address that is in use. */
};

/* Metrics as text, shared by who asked for them. */
struct body {
    size_t n_refs;
    long long int made_ms;
    struct ds text;
};

struct client {
    struct ovs_list node;       /* In 'clients', oldest first. */
    struct stream *stream;
    long long int deadline;
    char request[OF_METRICS_MAX_REQUEST];
    size_t size;                /* Bytes of it. */
    bool answering;
    struct ds head;             /* The answer's; and its body, or null. */
    struct body *body;
    size_t sent;                /* Bytes of both. */
};

static char *address;           /* Configured; null: none. */
static struct pstream *listener;
static long long int next_try;  /* When to listen again. */
static struct ovs_list clients = OVS_LIST_INITIALIZER(&clients);
static struct body *bodies[2];  /* The last ones, by 'rules'; or null. */

static void
body_unref(struct body *body)
{
    if (body && !--body->n_refs) {
        ds_destroy(&body->text);
        free(body);
    }
}

static struct body *
body_get(bool rules)
{
    struct body *body = bodies[rules];

    if (!body || time_msec() >= body->made_ms + RENDER_MS) {
        body_unref(body);
        body = bodies[rules] = xzalloc(sizeof *body);
        body->n_refs = 1;
        of_metrics_format(rules, &body->text);
        body->made_ms = time_msec();
    }
    body->n_refs++;
    return body;
}

static void
client_destroy(struct client *client)
{
    ovs_list_remove(&client->node);
    stream_close(client->stream);
    ds_destroy(&client->head);
    body_unref(client->body);
    free(client);
}

static void
close_all(void)
{
    struct client *client;

    LIST_FOR_EACH_SAFE (client, node, &clients) {
        client_destroy(client);
    }
    for (size_t i = 0; i < ARRAY_SIZE(bodies); i++) {
        body_unref(bodies[i]);
        bodies[i] = NULL;
    }
    pstream_close(listener);
    listener = NULL;
}

void
of_metrics_set_config(const struct smap *other_config)
{
    const char *wanted = smap_get(other_config, "metrics");

    if (nullable_string_is_equal(wanted, address)) {
        return;
    }
    close_all();
    free(address);
    address = nullable_xstrdup(wanted);
    next_try = 0;
}

void
of_metrics_exit(void)
{
    close_all();
    free(address);
    address = NULL;
}

static void
try_to_listen(void)
{
    static struct vlog_rate_limit limit = VLOG_RATE_LIMIT_INIT(1, 5);
    int error;

    if (time_msec() < next_try) {
        return;
    }
    error = pstream_open(address, &listener, 0);
    if (error) {
        VLOG_WARN_RL(&limit, "other_config:metrics=%s: cannot listen (%s)",
                     address, ovs_strerror(error));
        listener = NULL;
        next_try = time_msec() + RETRY_MS;
    }
}

static void
accept_clients(void)
{
    for (int i = 0; i < MAX_ACCEPTS; i++) {
        struct stream *stream;
        struct client *client;

        if (pstream_accept(listener, &stream)) {
            return;
        }
        if (ovs_list_size(&clients) >= MAX_CLIENTS) {
            client_destroy(CONTAINER_OF(ovs_list_front(&clients),
                                        struct client, node));
        }
        client = xzalloc(sizeof *client);
        client->stream = stream;
        client->deadline = time_msec() + REQUEST_MS;
        ovs_list_push_back(&clients, &client->node);
    }
}

static void
begin_answer(struct client *client, int status,
             const struct of_metrics_request *req)
{
    const char *type = (status == 200
                        ? "application/openmetrics-text; version=1.0.0"
                        : "text/plain");
    const char *reason = of_metrics_status_text(status);
    size_t length = strlen(reason) + 1;

    if (status == 200) {
        client->body = body_get(req->rules);
        length = client->body->text.length;
    }
    ds_put_format(&client->head,
                  "HTTP/1.1 %d %s\r\n"
                  "Content-Type: %s; charset=utf-8\r\n"
                  "Content-Length: %"PRIuSIZE"\r\n"
                  "%sConnection: close\r\n\r\n",
                  status, reason, type, length,
                  status == 405 ? "Allow: GET, HEAD\r\n" : "");
    if (req->head) {
        body_unref(client->body);
        client->body = NULL;
    } else if (status != 200) {
        ds_put_format(&client->head, "%s\n", reason);
    }
    client->answering = true;
    client->deadline = time_msec() + ANSWER_MS;
}

/* 0, -EAGAIN for more, or anything else to give the client up. */
static int
receive(struct client *client)
{
    while (!client->answering) {
        struct of_metrics_request req;
        int n, status;

        n = stream_recv(client->stream, client->request + client->size,
                        sizeof client->request - client->size);
        if (n <= 0) {
            return n ? n : -ECONNRESET;
        }
        client->size += n;
        status = of_metrics_request_parse(client->request, client->size,
                                          &req);
        if (status) {
            begin_answer(client, status, &req);
        }
    }
    return 0;
}

/* As receive(); 0 when all was sent. */
static int
answer(struct client *client)
{
    for (;;) {
        size_t done = client->sent;
        const struct ds *part = &client->head;
        int n;

        if (done >= part->length) {
            done -= part->length;
            part = client->body ? &client->body->text : NULL;
        }
        if (!part || done >= part->length) {
            return 0;
        }
        n = stream_send(client->stream, part->string + done,
                        part->length - done);
        if (n <= 0) {
            return n ? n : -EAGAIN;
        }
        client->sent += n;
    }
}

/* False when it is to be closed. */
static bool
client_run(struct client *client)
{
    int error;

    stream_run(client->stream);
    error = stream_connect(client->stream);
    if (error) {
        return error == EAGAIN && time_msec() < client->deadline;
    }
    error = receive(client);
    if (!error) {
        error = answer(client);
    }
    return error == -EAGAIN && time_msec() < client->deadline;
}

void
of_metrics_run(void)
{
    struct client *client;

    if (!address) {
        return;
    } else if (!listener) {
        try_to_listen();
    }
    if (listener) {
        accept_clients();
    }
    LIST_FOR_EACH_SAFE (client, node, &clients) {
        if (!client_run(client)) {
            client_destroy(client);
        }
    }
    if (ovs_list_is_empty(&clients)) {
        for (size_t i = 0; i < ARRAY_SIZE(bodies); i++) {
            body_unref(bodies[i]);
            bodies[i] = NULL;
        }
    }
}

void
of_metrics_wait(void)
{
    struct client *client;

    if (listener) {
        pstream_wait(listener);
    } else if (address) {
        poll_timer_wait_until(next_try);
    }
    LIST_FOR_EACH (client, node, &clients) {
        stream_run_wait(client->stream);
        if (stream_connect(client->stream)) {
            stream_connect_wait(client->stream);
        } else if (client->answering) {
            stream_send_wait(client->stream);
        } else {
            stream_recv_wait(client->stream);
        }
        poll_timer_wait_until(client->deadline);
    }
}
