/* SPDX-License-Identifier: Apache-2.0 */

/* Filter expressions, as `bvs-bpf filter' gives them to libpcap: bytes up to
 * a 0 are words of its language (without names, which it would look up), the
 * rest is the packet. */

#include <stdio.h>
#include <string.h>

#include "tests/fuzz/targets/parts/classic.h"
#include "tests/fuzz/targets/target.h"

static const char *const words[] = {
    "", "tcp", "udp", "sctp", "icmp", "icmp6", "ip", "ip6", "arp", "rarp",
    "ether", "vlan", "mpls", "pppoes", "port 80", "portrange 20-1000",
    "src", "dst", "host 10.0.0.1", "host fe80::1", "net 10.0.0.0/8",
    "host 02:00:00:00:00:01", "proto 17", "proto 0x88cc", "broadcast",
    "multicast", "and", "or", "not", "(", ")", "less 60", "greater 1000",
    "len", "[", "]", ":1", ":2", ":4", "&", "|", "^", "+", "-", "*", "/", "%",
    "<<", ">>", "<", ">", "=", "!=", ">=", "<=", "0", "1", "2", "4", "6",
    "12", "14", "40", "0xff", "0x1fff", "65535", "0xffffffff", "tcpflags",
    "tcp-syn", "link", "inbound", "ip proto \\tcp", "ip protochain 6", "5",
    "geneve", "type mgt",
};
#define N_WORDS (sizeof words / sizeof words[0])

int
LLVMFuzzerTestOneInput(const uint8_t *data, size_t size)
{
    static pcap_t *pcap;
    struct bpf_program classic;
    char text[4096];
    size_t at = 0, n = 0;

    for (; n < size && data[n] && at < sizeof text - 32; n++) {
        at += snprintf(text + at, sizeof text - at, "%s ",
                       words[data[n] % N_WORDS]);
    }
    text[at] = '\0';
    if (!pcap) {
        pcap = pcap_open_dead(DLT_EN10MB, 65535);
    }
    if (size > UINT16_MAX
        || pcap_compile(pcap, &classic, text, size & 1, 0xffffff00)) {
        return 0;
    }
    classic_try(classic.bf_insns, classic.bf_len, data + n, size - n);
    pcap_freecode(&classic);
    return 0;
}
