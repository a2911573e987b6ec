/* SPDX-License-Identifier: Apache-2.0 */

/* XDP helpers that tell something: traces, events with the packet.
 *
 * Formats are Linux's (kernel/trace/bpf_trace.c, bpf_bprintf_prepare()):
 * %d %i %u %x %X, with l or ll, flags and a width; %c; %p in all its forms;
 * %s.  What an argument would point to is not read, since it is only a
 * number that the program made: "(string)" or "(address)" is shown. */

#include "datapath/xdp-private.h"

#include <ctype.h>
#include <errno.h>
#include <inttypes.h>
#include <stdarg.h>
#include <stdbool.h>
#include <stdio.h>
#include <string.h>

#include "vm/maps/ringbuf.h"

#define MAX_LINE 1024
#define MAX_ARGS 12             /* Of trace_vprintk. */

void (*dp_xdp_trace)(const char *line);

struct format {
    const char *p, *end;        /* What is left of it; '*end' is 0. */
    const uint64_t *args;
    uint32_t n_args, next;
    char line[MAX_LINE];
    size_t n;                   /* Length, also of what did not fit. */
};

static void __attribute__((format(printf, 2, 3)))
put(struct format *f, const char *format, ...)
{
    size_t left = f->n < sizeof f->line ? sizeof f->line - f->n : 0;
    va_list args;

    va_start(args, format);
    f->n += vsnprintf(left ? f->line + f->n : NULL, left, format, args);
    va_end(args);
}

/* '%p' and what follows it. */
static bool
put_pointer(struct format *f, uint64_t arg)
{
    const char *p = f->p;       /* After the 'p'. */

    if ((p[0] == 'k' || p[0] == 'u') && p[1] == 's') {
        f->p += 2;
        put(f, "(string)");
    } else if ((p[0] == 'i' || p[0] == 'I') && (p[1] == '4' || p[1] == '6')) {
        f->p += 2;
        put(f, "(address)");
    } else if (!p[0] || isspace((unsigned char) p[0])
               || ispunct((unsigned char) p[0])) {
        put(f, "%016" PRIx64, arg);
    } else if (strchr("KxsSB", p[0])) {
        f->p++;
        put(f, "%016" PRIx64, arg);
    } else {
        return false;
    }
    return true;
}

/* An integer whose flags and width begin at 'from'. */
static bool
put_number(struct format *f, const char *from, uint64_t arg)
{
    char spec[48];
    int n = f->p - from, n_long = 0;
    char type;

    while (*f->p == 'l' && n_long < 2) {
        f->p++;
        n_long++;
    }
    type = *f->p;
    if (!type || !strchr("diuxX", type) || n > 32) {
        return false;
    }
    f->p++;
    if (!n_long) {
        arg = strchr("di", type) ? (uint64_t) (int32_t) arg : (uint32_t) arg;
    }
    snprintf(spec, sizeof spec, "%%%.*sll%c", n, from, type);
#pragma GCC diagnostic push
#pragma GCC diagnostic ignored "-Wformat-nonliteral"
    put(f, spec, (long long) arg);
#pragma GCC diagnostic pop
    return true;
}

/* What follows a '%'. */
static bool
put_argument(struct format *f)
{
    const char *from = f->p;
    uint64_t arg;

    if (f->next >= f->n_args) {
        return false;
    }
    arg = f->args[f->next++];
    while (*f->p && strchr("0+- ", *f->p)) {
        f->p++;
    }
    while (isdigit((unsigned char) *f->p)) {
        f->p++;
    }
    switch (*f->p) {
    case 'p':
        f->p++;
        return put_pointer(f, arg);
    case 's':
        f->p++;
        put(f, "(string)");
        return true;
    case 'c':
        f->p++;
        put(f, "%c", (int) (arg & 0x7f) ? (int) (arg & 0x7f) : ' ');
        return true;
    default:
        return put_number(f, from, arg);
    }
}

/* The length of the line, or a negative errno. */
static int64_t
trace(uint64_t text, uint32_t size, const uint64_t *args, uint32_t n_args)
{
    struct format f = { .args = args, .n_args = n_args };

    f.p = (const char *) (uintptr_t) text;
    f.end = size ? memchr(f.p, '\0', size) : NULL;
    if (!f.end) {
        return -EINVAL;
    }
    while (f.p < f.end) {
        unsigned char c = *f.p++;

        if (c >= 0x80 || (!isprint(c) && !isspace(c))) {
            return -EINVAL;
        } else if (c != '%') {
            put(&f, "%c", c);
        } else if (*f.p == '%') {
            f.p++;
            put(&f, "%%");
        } else if (!put_argument(&f)) {
            return -EINVAL;
        }
    }
    if (dp_xdp_trace) {
        f.line[strcspn(f.line, "\n")] = '\0';
        dp_xdp_trace(f.line);
    }
    return f.n;
}

uint64_t
xdp_trace_printk(uint64_t format, uint64_t size, uint64_t r3, uint64_t r4,
                 uint64_t r5)
{
    const uint64_t args[] = { r3, r4, r5 };

    return trace(format, size, args, 3);
}

uint64_t
xdp_trace_vprintk(uint64_t format, uint64_t size, uint64_t data,
                  uint64_t data_size, uint64_t r5)
{
    uint64_t args[MAX_ARGS];

    data_size = (uint32_t) data_size;
    if (data_size % 8 || data_size > sizeof args || (data_size && !data)) {
        return (int64_t) -EINVAL;
    }
    if (data_size) {
        memcpy(args, (const void *) (uintptr_t) data, data_size);
    }
    return trace(format, size, args, data_size / 8);
}

/* The upper half of 'flags' says how much of the packet goes along. */
uint64_t
xdp_perf_event_output(uint64_t ctx, uint64_t map, uint64_t flags,
                      uint64_t data, uint64_t size)
{
    const struct dp_xdp *x = xdp_cast(ctx);
    const struct vm_perf_record record = {
        .data = (const void *) (uintptr_t) data,
        .size = size,
        .extra = x->data,
        .extra_size = flags >> 32 & 0xfffff,
    };

    if (flags >> 52) {
        return (int64_t) -EINVAL;
    } else if (record.extra_size > (size_t) (x->data_end - x->data)) {
        return (int64_t) -EFAULT;
    }
    return (int64_t) vm_perf_output((struct vm_map *) (uintptr_t) map,
                                    (uint32_t) flags, &record);
}
