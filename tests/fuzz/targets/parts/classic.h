/* SPDX-License-Identifier: Apache-2.0 */
#ifndef TESTS_FUZZ_TARGETS_PARTS_CLASSIC_H
#define TESTS_FUZZ_TARGETS_PARTS_CLASSIC_H 1

/* Classic BPF on every engine, for targets: what vm_cbpf_convert() takes, the
 * verifier must accept, and every engine gives what libpcap's interpreter
 * gives.  Aborts if not. */

#include <pcap/pcap.h>
#include <stddef.h>
#include <stdint.h>

void classic_try(const struct bpf_insn *, uint32_t n, const uint8_t *packet,
                 size_t size);

#endif /* tests/fuzz/targets/parts/classic.h */
