/* SPDX-License-Identifier: Apache-2.0 */

/* XDP helpers on the bytes of the packet. */

#include "datapath/xdp-private.h"

#include <errno.h>
#include <string.h>

#define MAX_META 252            /* Bytes of metadata, a multiple of 4. */

/* -- Where the packet begins and ends -- */

uint64_t
xdp_adjust_head(uint64_t ctx, uint64_t delta, uint64_t r3, uint64_t r4,
                uint64_t r5)
{
    struct dp_xdp *x = xdp_cast(ctx);
    int64_t to = x->data - x->buffer + (int32_t) delta;
    int64_t meta_size = x->data - x->data_meta;

    if (to < XDP_FRAME_SIZE + meta_size
        || to > x->data_end - x->buffer - XDP_MIN_PACKET) {
        return (int64_t) -EINVAL;
    }
    memmove(x->buffer + to - meta_size, x->data_meta, meta_size);
    x->data = x->buffer + to;
    x->data_meta = x->data - meta_size;
    return 0;
}

uint64_t
xdp_adjust_meta(uint64_t ctx, uint64_t delta, uint64_t r3, uint64_t r4,
                uint64_t r5)
{
    struct dp_xdp *x = xdp_cast(ctx);
    int64_t to = x->data_meta - x->buffer + (int32_t) delta;
    int64_t size = x->data - x->buffer - to;

    if (to < XDP_FRAME_SIZE || size < 0) {
        return (int64_t) -EINVAL;
    } else if (size > MAX_META || size % 4) {
        return (int64_t) -EACCES;
    }
    x->data_meta = x->buffer + to;
    return 0;
}

uint64_t
xdp_adjust_tail(uint64_t ctx, uint64_t delta, uint64_t r3, uint64_t r4,
                uint64_t r5)
{
    struct dp_xdp *x = xdp_cast(ctx);
    int64_t to = x->data_end - x->buffer + (int32_t) delta;

    if (to > (int64_t) sizeof x->buffer
        || to < x->data - x->buffer + XDP_MIN_PACKET) {
        return (int64_t) -EINVAL;
    }
    if ((int32_t) delta > 0) {
        memset(x->data_end, 0, (int32_t) delta);
    }
    x->data_end = x->buffer + to;
    return 0;
}

/* -- Bytes by offset -- */

uint64_t
xdp_get_buff_len(uint64_t ctx, uint64_t r2, uint64_t r3, uint64_t r4,
                 uint64_t r5)
{
    return xdp_cast(ctx)->data_end - xdp_cast(ctx)->data;
}

/* 0, or why [off, off + len) is not in the packet. */
static int
check_range(const struct dp_xdp *x, uint32_t off, uint32_t len)
{
    return (off > 0xffff || len > 0xffff ? -EFAULT
            : off + len > x->data_end - x->data ? -EINVAL : 0);
}

/* Programs may read 'to' afterwards even if they pass over the error. */
uint64_t
xdp_load_bytes(uint64_t ctx, uint64_t off, uint64_t to, uint64_t len,
               uint64_t r5)
{
    struct dp_xdp *x = xdp_cast(ctx);
    int error = check_range(x, off, len);

    if (error) {
        memset((void *) (uintptr_t) to, 0, (uint32_t) len);
    } else {
        memcpy((void *) (uintptr_t) to, x->data + (uint32_t) off,
               (uint32_t) len);
    }
    return (int64_t) error;
}

uint64_t
xdp_store_bytes(uint64_t ctx, uint64_t off, uint64_t from, uint64_t len,
                uint64_t r5)
{
    struct dp_xdp *x = xdp_cast(ctx);
    int error = check_range(x, off, len);

    if (!error) {
        memmove(x->data + (uint32_t) off, (const void *) (uintptr_t) from,
                (uint32_t) len);
    }
    return (int64_t) error;
}

/* -- Checksums -- */

static uint32_t
fold_32(uint64_t sum)
{
    sum = (uint32_t) sum + (sum >> 32);
    return (uint32_t) sum + (sum >> 32);
}

/* One's complement sum of the 32-bit words of 'p', the last one filled up
 * with zeros. */
static uint32_t
sum_words(uint64_t p, uint32_t size, uint32_t seed)
{
    uint64_t sum = seed;

    for (uint32_t i = 0; i < size; i += 4) {
        uint32_t word = 0;

        memcpy(&word, (const uint8_t *) (uintptr_t) p + i,
               size - i < 4 ? size - i : 4);
        sum += word;
    }
    return fold_32(sum);
}

/* As Linux since 6.13: the result has 16 bits, sizes are any. */
uint64_t
xdp_csum_diff(uint64_t from, uint64_t from_size_, uint64_t to,
              uint64_t to_size_, uint64_t seed)
{
    uint32_t from_size = from_size_, to_size = to_size_;
    uint32_t sum = seed;

    if (from_size && to_size) {
        sum = fold_32((uint64_t) sum_words(to, to_size, sum)
                      + (uint32_t) ~sum_words(from, from_size, 0));
    } else if (to_size) {
        sum = sum_words(to, to_size, sum);
    } else if (from_size) {
        sum = ~sum_words(from, from_size, ~sum);
    }
    sum = (sum & 0xffff) + (sum >> 16);
    return (sum & 0xffff) + (sum >> 16);
}
