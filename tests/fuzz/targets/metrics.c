/* SPDX-License-Identifier: Apache-2.0 */

/* HTTP requests for metrics: what is refused stays refused, whatever comes
 * after it; bytes beyond the end of the request change nothing. */

#include <stdlib.h>
#include <string.h>

#include "ofproto/metrics-request.h"
#include "tests/fuzz/targets/target.h"

int
LLVMFuzzerTestOneInput(const uint8_t *data, size_t size)
{
    struct of_metrics_request req, first_req = { .head = false };
    int first = 0;

    if (size > OF_METRICS_MAX_REQUEST) {
        size = OF_METRICS_MAX_REQUEST;
    }
    /* As it arrives: from a byte on. */
    for (size_t n = 0; n <= size; n++) {
        /* A copy of its own, so that a sanitizer sees its end. */
        char *copy = malloc(n ? n : 1);
        int status;

        if (!copy) {
            return 0;
        }
        memcpy(copy, data, n);
        status = of_metrics_request_parse(copy, n, &req);
        free(copy);
        if (first && first != 400 && status != 400
            && (status != first || req.head != first_req.head
                || req.rules != first_req.rules)) {
            abort();
        }
        if (first == 400 && status != 400) {
            abort();
        }
        if ((status && !strcmp(of_metrics_status_text(status), "Unknown"))
            || (!status && n == OF_METRICS_MAX_REQUEST)) {
            abort();
        }
        if (!first && status) {
            first = status;
            first_req = req;
        }
    }
    return 0;
}
