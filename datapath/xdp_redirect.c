/* SPDX-License-Identifier: Apache-2.0 */

/* XDP helpers that send a packet elsewhere. */

#include "datapath/xdp-private.h"

#include <errno.h>
#include <linux/bpf.h>
#include <string.h>
#include <sys/socket.h>

#include "vm/map.h"

_Thread_local struct dp_xdp_target dp_xdp_target;

uint64_t
xdp_redirect(uint64_t ifindex, uint64_t flags, uint64_t r3, uint64_t r4,
             uint64_t r5)
{
    if (flags) {
        return DP_XDP_ABORTED;
    }
    dp_xdp_target = (struct dp_xdp_target) { NULL, (uint32_t) ifindex };
    return DP_XDP_REDIRECT;
}

/* The two low bits of 'flags' are the verdict when there is no such entry;
 * only maps of devices can send to all of their entries. */
uint64_t
xdp_redirect_map(uint64_t map_, uint64_t key_, uint64_t flags, uint64_t r4,
                 uint64_t r5)
{
    struct vm_map *map = (struct vm_map *) (uintptr_t) map_;
    uint64_t allowed = (map->ops == &vm_map_ops_devmap
                        || map->ops == &vm_map_ops_devmap_hash
                        ? BPF_F_BROADCAST | BPF_F_EXCLUDE_INGRESS : 0);
    uint32_t key = key_;
    const void *value;

    if (flags & ~(allowed | DP_XDP_TX | DP_XDP_PASS | DP_XDP_DROP)) {
        return DP_XDP_ABORTED;
    }
    value = vm_map_lookup(map, &key);
    dp_xdp_target = (struct dp_xdp_target) { map, UINT64_MAX };
    if (flags & BPF_F_BROADCAST) {
        return DP_XDP_REDIRECT;
    } else if (!value) {
        return flags & 3;
    }
    dp_xdp_target.value = 0;
    memcpy(&dp_xdp_target.value, value, 4);
    return DP_XDP_REDIRECT;
}

/* There is no routing table: a packet of a family that Linux would look up
 * is not forwarded. */
uint64_t
xdp_fib_lookup(uint64_t ctx, uint64_t params_, uint64_t size, uint64_t flags,
               uint64_t r5)
{
    static const uint64_t known = BPF_FIB_LOOKUP_DIRECT
                                  | BPF_FIB_LOOKUP_OUTPUT
                                  | 1u << 2     /* SKIP_NEIGH */
                                  | 1u << 3     /* TBID */
                                  | 1u << 4     /* SRC */
                                  | 1u << 5;    /* MARK */
    uint8_t family;

    if ((uint32_t) size < sizeof(struct bpf_fib_lookup)
        || (uint32_t) flags & ~known) {
        return (int64_t) -EINVAL;
    }
    memcpy(&family, (const void *) (uintptr_t) params_, sizeof family);
    return (family == AF_INET || family == AF_INET6
            ? BPF_FIB_LKUP_RET_NOT_FWDED
            : (uint64_t) (int64_t) -EAFNOSUPPORT);
}
