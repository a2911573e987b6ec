/* SPDX-License-Identifier: Apache-2.0 */

/* An HTTP request for metrics, as far as one is understood: GET or HEAD of
 * /metrics, by HTTP/1.0 or 1.1 (RFC 9112).
 *
 * The bytes are anybody's: nothing is allocated, and nothing is read beyond
 * them.  Knows nothing of Open vSwitch, so that a fuzzer can call it. */

#ifndef OFPROTO_METRICS_REQUEST_H
#define OFPROTO_METRICS_REQUEST_H 1

#include <stdbool.h>
#include <stddef.h>

enum { OF_METRICS_MAX_REQUEST = 4096 }; /* Bytes, with all its headers. */

struct of_metrics_request {
    bool head;                  /* HEAD: no body. */
    bool rules;                 /* ?rules: counts by cookie, too. */
};

/* The status of the answer to the 'size' bytes at 'data': 200 and '*req', or
 * an error.  0: that was not all yet. */
int of_metrics_request_parse(const char *data, size_t size,
                             struct of_metrics_request *req);

/* What the standard calls the status. */
const char *of_metrics_status_text(int status);

#endif /* ofproto/metrics-request.h */
