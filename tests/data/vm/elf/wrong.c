/* SPDX-License-Identifier: Apache-2.0 */

/* Programs that are refused; test-vm-elf.c asks for their lines of source. */

#include <linux/bpf.h>
#include <bpf/bpf_helpers.h>

static __attribute__((noinline)) int
first_byte(const unsigned char *data, int index)
{
    return data[index & 3];     /* Nothing was compared. */
}

static __attribute__((noinline)) int
second_byte(struct xdp_md *md)
{
    return first_byte((void *) (long) md->data, md->rx_queue_index) * 3;
}

SEC("xdp")
int in_a_function(struct xdp_md *md)
{
    return second_byte(md) == 9 ? XDP_DROP : XDP_PASS;
}

SEC("xdp")
int in_the_program(struct xdp_md *md)
{
    unsigned char *data = (void *) (long) md->data;
    unsigned char *end = (void *) (long) md->data_end;

    if (data + 2 > end) {
        return XDP_DROP;
    }
    return data[2] ? XDP_PASS : XDP_DROP;       /* One too far. */
}

char _license[] SEC("license") = "GPL";
