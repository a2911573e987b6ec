/* SPDX-License-Identifier: Apache-2.0 */

/* Metrics for Prometheus: Open_vSwitch's other_config:metrics=ptcp:PORT:IP (or
 * another passive connection method of Open vSwitch's) answers GET /metrics
 * with the text format of OpenMetrics 1.0; with /metrics?rules also with
 * packets by cookie.  Without the key nothing listens.
 *
 * Clients can neither block the main thread nor make memory grow: sockets do
 * not block, there are at most MAX_CLIENTS, the oldest of which gives way to a
 * new one, each has some seconds, and what is sent is made once for all who
 * ask within RENDER_MS.
 *
 * Threads: the main thread. */

#ifndef OFPROTO_METRICS_H
#define OFPROTO_METRICS_H 1

#include <stdbool.h>

struct ds;
struct smap;

void of_metrics_set_config(const struct smap *other_config);
void of_metrics_run(void);
void of_metrics_wait(void);
void of_metrics_exit(void);

/* metrics-text.c: appends all metrics, "# EOF" included; 'rules': those by
 * cookie, too. */
void of_metrics_format(bool rules, struct ds *out);

#endif /* ofproto/metrics.h */
