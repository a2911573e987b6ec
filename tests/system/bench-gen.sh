#!/bin/sh
# SPDX-License-Identifier: Apache-2.0
#
# Workloads of the benchmarks: as many flows and packets as their names say,
# valid checksums, lengths of prefixes, the same bytes for the same seed.

# shellcheck source=tests/system/lib.sh
. "$(dirname "$0")/lib.sh"

gen=$BUILD/tests/bench/gen/gen
need "test -x $gen" "built by make tests"

# makes WORKLOAD FLOWS PACKETS
makes() {
    mkdir -p "$dir/w" && "$gen" "$1" "$dir/w" || return 1
    /usr/bin/python3 - "$dir/w" "$2" "$3" <<'PYTHON'
import struct
import sys

folder, n_flows, n_packets = sys.argv[1], int(sys.argv[2]), int(sys.argv[3])


def sums_up(data):
    total = sum(struct.unpack("!%dH" % (len(data) // 2), data))
    while total >> 16:
        total = (total & 0xffff) + (total >> 16)
    return total == 0xffff


with open(folder + "/flows") as f:
    found = len(f.readlines())
if found != n_flows:
    sys.exit("%d flows" % found)
with open(folder + "/in.pcap", "rb") as f:
    data = f.read()
if (len(data) - 24) / 76 != n_packets:
    sys.exit("%d packets" % ((len(data) - 24) / 76))
for at in range(24, len(data), 76 * (1 + n_packets // 2000)):
    packet = data[at + 16:at + 76]
    pseudo = packet[26:34] + struct.pack("!HH", packet[23], 26)
    if not sums_up(packet[14:34]) or not sums_up(pseudo + packet[34:]):
        sys.exit("wrong checksum: " + packet.hex())
PYTHON
}

# Shares of prefixes are as on the Internet, to 2%.
lengths() {
    "$gen" l3-10k-10k "$dir/w" &&
        sed 's/.*priority=\([0-9]*\),.*/\1/' "$dir/w/flows" | sort | uniq -c |
        awk 'BEGIN { split("58 11 8 8 5 5 3 2", share, " ")
                     split("24 22 23 16 21 20 19 18", len, " ")
                     for (i in len) want[len[i]] = share[i] }
             { d = $1 / 100 - want[$2]; if (d > 2 || d < -2) bad = 1; n++ }
             END { exit bad || n != 8 }'
}

distinct() {
    [ "$(sort "$dir/w/flows" | uniq -d | wc -l)" = 0 ]
}

same_again() {
    mkdir -p "$dir/x" && "$gen" --zipf "$1" "$dir/w" &&
        "$gen" --zipf "$1" "$dir/x" && cmp "$dir/w/in.pcap" "$dir/x/in.pcap" &&
        cmp "$dir/w/flows" "$dir/x/flows" &&
        "$gen" --zipf --seed=2 "$1" "$dir/x" &&
        ! cmp "$dir/w/in.pcap" "$dir/x/in.pcap"
}

# The most popular of 1000 flows has 18% of the packets.
popular() {
    "$gen" --zipf l2-1k "$dir/w" && tcpdump -nnetr "$dir/w/in.pcap" \
        -c 20000 2>/dev/null | awk '{ n[$3]++ } END { for (i in n)
            if (n[i] > max) max = n[i]; exit max < 2800 || max > 4400 }'
}

check port makes port 1 1
check l2 makes l2-1k 1000 1000
check l2-many makes l2-300k 300000 200000
check l3 makes l3-1k-10k 1000 10000
check l3-distinct distinct
check l3-lengths lengths
check lb makes lb-100 200 100
check agw makes agw-1k 10420 1000
check agw-groups test "$(wc -l <"$dir/w/groups")" = 10
check tse makes tse 5 100000
check tse-extended makes tse9537 5 9537
check ddos makes ddos-10k 10001 10000
check deep makes deep 10063 10000
check seed same_again l2-1k
check zipf popular
refuses unknown "no such workload" "$gen" nothing "$dir/w"
refuses number "takes 2 numbers" "$gen" l3-10k "$dir/w"
finish
