/* SPDX-License-Identifier: Apache-2.0 */

/* Exercises the ELF loader: maps of several kinds, a constant that is set
 * before loading, zeroed and initialised globals, a local function, initial
 * values of a program array and of a map of maps.  Compiled by
 * ./make-objects; the object is checked in so that the test needs no clang. */

#include <linux/bpf.h>
#include <bpf/bpf_helpers.h>

struct counter {
    __u64 packets, bytes;
};

struct {
    __uint(type, BPF_MAP_TYPE_PERCPU_ARRAY);
    __uint(max_entries, 4);
    __type(key, __u32);
    __type(value, struct counter);
} counters SEC(".maps");

struct inner {
    __uint(type, BPF_MAP_TYPE_ARRAY);
    __uint(max_entries, 2);
    __type(key, __u32);
    __type(value, __u32);
} inner_a SEC(".maps"), inner_b SEC(".maps");

struct {
    __uint(type, BPF_MAP_TYPE_ARRAY_OF_MAPS);
    __uint(max_entries, 3);
    __type(key, __u32);
    __array(values, struct inner);
} outer SEC(".maps") = {
    .values = { [0] = &inner_a, [2] = &inner_b },
};

int tail(struct xdp_md *);

struct {
    __uint(type, BPF_MAP_TYPE_PROG_ARRAY);
    __uint(max_entries, 2);
    __uint(key_size, sizeof(__u32));
    __array(values, int(struct xdp_md *));
} programs SEC(".maps") = {
    .values = { [1] = (void *) &tail },
};

const volatile __u32 limit = 10;
__u32 seen;                     /* .bss */
__u64 sum = 1000;               /* .data */

static __attribute__((noinline)) __u32
count(__u32 index, __u64 bytes)
{
    struct counter *c = bpf_map_lookup_elem(&counters, &index);

    if (!c) {
        return 0;
    }
    c->packets++;
    c->bytes += bytes;
    return c->packets;
}

SEC("xdp")
int
tail(struct xdp_md *ctx)
{
    seen += 100;
    return XDP_TX;
}

SEC("xdp")
int
head(struct xdp_md *ctx)
{
    __u8 *data = (void *) (long) ctx->data;
    __u8 *end = (void *) (long) ctx->data_end;
    __u32 key, zero = 0, *value = 0;
    void *map;

    if (data + 2 > end) {
        return XDP_ABORTED;
    }
    seen++;
    sum += data[1];
    if (count(data[0] & 7, end - data) > limit) {
        return XDP_DROP;
    }
    key = data[0];
    map = bpf_map_lookup_elem(&outer, &key);
    if (map) {
        value = bpf_map_lookup_elem(map, &zero);
    }
    if (value && *value) {
        bpf_tail_call(ctx, &programs, 1);
    }
    return XDP_PASS;
}

char licence[] SEC("license") = "Apache-2.0";
