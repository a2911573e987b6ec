/* SPDX-License-Identifier: Apache-2.0 */
#ifndef UTILITIES_BPF_XDP_H
#define UTILITIES_BPF_XDP_H 1

/* Former names of datapath/xdp.h. */

#include "datapath/xdp.h"

#define bpf_xdp dp_xdp
#define bpf_xdp_type dp_xdp_type
#define bpf_xdp_set_packet dp_xdp_set_packet

#endif /* utilities/bpf-xdp.h */
