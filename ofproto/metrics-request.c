/* SPDX-License-Identifier: Apache-2.0 */

#include "ofproto/metrics-request.h"

#include <string.h>

/* Bytes that are not ended by a null. */
struct span {
    const char *s;
    size_t n;
};

static bool
span_is(struct span span, const char *word)
{
    return span.n == strlen(word) && !memcmp(span.s, word, span.n);
}

/* Cuts off what comes before 'delimiter', which goes, too. */
static struct span
cut(struct span *rest, char delimiter)
{
    const char *at = rest->n ? memchr(rest->s, delimiter, rest->n) : NULL;
    struct span word = { rest->s, at ? (size_t) (at - rest->s) : rest->n };
    size_t used = word.n + (at != NULL);

    rest->s += used;
    rest->n -= used;
    return word;
}

/* Has it no bytes that no request has? */
static bool
is_text(const char *data, size_t size)
{
    for (size_t i = 0; i < size; i++) {
        unsigned char c = data[i];

        if ((c < ' ' && c != '\r' && c != '\n' && c != '\t') || c == 0x7f) {
            return false;
        }
    }
    return true;
}

/* Is there the empty line after the headers? */
static bool
is_complete(const char *data, size_t size)
{
    bool line_is_empty = false;

    for (size_t i = 0; i < size; i++) {
        if (data[i] == '\n') {
            if (line_is_empty) {
                return true;
            }
            line_is_empty = true;
        } else if (data[i] != '\r') {
            line_is_empty = false;
        }
    }
    return false;
}

static void
parse_query(struct span query, struct of_metrics_request *req)
{
    while (query.n) {
        struct span word = cut(&query, '&');

        /* What others add is not ours to judge. */
        if (span_is(word, "rules") || span_is(word, "rules=1")) {
            req->rules = true;
        }
    }
}

int
of_metrics_request_parse(const char *data, size_t size,
                         struct of_metrics_request *req)
{
    struct span rest = { data, size };
    struct span line, method, target, path;

    *req = (struct of_metrics_request) { .head = false };
    if (!is_text(data, size)) {
        return 400;
    } else if (!is_complete(data, size)) {
        return size >= OF_METRICS_MAX_REQUEST ? 431 : 0;
    }
    line = cut(&rest, '\n');
    if (line.n && line.s[line.n - 1] == '\r') {
        line.n--;
    }
    method = cut(&line, ' ');
    target = cut(&line, ' ');
    if (!method.n || !target.n
        || (!span_is(line, "HTTP/1.0") && !span_is(line, "HTTP/1.1"))) {
        return 400;
    }
    req->head = span_is(method, "HEAD");
    if (!req->head && !span_is(method, "GET")) {
        return 405;
    }
    path = cut(&target, '?');
    parse_query(target, req);
    return span_is(path, "/metrics") ? 200 : 404;
}

const char *
of_metrics_status_text(int status)
{
    static const struct {
        int status;
        const char *text;
    } texts[] = {
        { 200, "OK" },
        { 400, "Bad Request" },
        { 404, "Not Found" },
        { 405, "Method Not Allowed" },
        { 431, "Request Header Fields Too Large" },
    };

    for (size_t i = 0; i < sizeof texts / sizeof *texts; i++) {
        if (texts[i].status == status) {
            return texts[i].text;
        }
    }
    return "Unknown";
}
