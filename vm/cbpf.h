/* SPDX-License-Identifier: Apache-2.0 */
#ifndef VM_CBPF_H
#define VM_CBPF_H 1

/* Classic BPF (what pcap filters compile to) to eBPF.
 *
 * What: emits a program that gives, for every packet, what the classic
 * program gives: the number of bytes to accept, 0 for none.  A load outside
 * of the packet ends the program with 0, as classic BPF has it; the eBPF
 * contains the bounds checks, so that a verifier accepts it.
 *
 * Semantics: McCanne and Jacobson, "The BSD Packet Filter" (1993), and
 * libpcap's interpreter where that says nothing: a shift by 32 or more is 0,
 * a division by zero ends the program with 0, the accumulator, the index
 * register and the scratch memory are 0 at first. */

#include <stdint.h>

#include "vm/emit.h"

/* As struct bpf_insn of libpcap and struct sock_filter of Linux. */
struct vm_cbpf_insn {
    uint16_t code;
    uint8_t jt, jf;
    uint32_t k;
};

/* Where the packet is in the context of the program to be. */
struct vm_cbpf_ctx {
    uint32_t data_off, data_end_off;
    uint8_t ptr_size;           /* 4 or 8: of these members. */
};

/* Appends the whole program, with its exits, to 'e', whose sticky error says
 * what is wrong with the classic program, if anything. */
void vm_cbpf_convert(struct vm_emit *e, const struct vm_cbpf_insn *,
                     uint32_t n, const struct vm_cbpf_ctx *);

#endif /* vm/cbpf.h */
