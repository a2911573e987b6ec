#!/usr/bin/python3
# SPDX-License-Identifier: Apache-2.0
"""Cuts a capture into what each end of the wire sent.

usage: split.py CAPTURE MAC-OF-1 MAC-OF-2 MAX-PACKETS OUT-PREFIX
                [--link-up]

Writes OUT-PREFIX.1.pcap and OUT-PREFIX.2.pcap: of the first MAX-PACKETS
packets, those with the source address MAC-OF-1 or MAC-OF-2.  Time starts at
2020-01-01 00:00:00 UTC, so that a new recording differs from the old one in
what the programs did and not in when.  Multicast listener reports and router
solicitations, which a host sends some time after its link came up, are left
out, unless --link-up asks for them."""

import sys
from scapy.utils import RawPcapReader, RawPcapWriter

LINK_UP = [bytes.fromhex("333300000016"), bytes.fromhex("333300000002")]
EPOCH_US = 1577836800 * 1000000


def main():
    capture, mac1, mac2, max_packets, prefix = sys.argv[1:6]
    skip = [] if sys.argv[6:] == ["--link-up"] else LINK_UP
    macs = [bytes.fromhex(mac.replace(":", "")) for mac in (mac1, mac2)]
    outputs = [RawPcapWriter("%s.%d.pcap" % (prefix, i), linktype=1)
               for i in (1, 2)]
    counts = [0, 0]
    start = None
    for output in outputs:
        output.write_header(b"")
    for frame, meta in RawPcapReader(capture):
        when = meta.sec * 1000000 + meta.usec
        if frame[6:12] not in macs or frame[:6] in skip:
            continue
        start = when if start is None else start
        side = macs.index(frame[6:12])
        counts[side] += 1
        sec, usec = divmod(EPOCH_US + when - start, 1000000)
        outputs[side].write_packet(frame, sec=sec, usec=usec,
                                   caplen=len(frame), wirelen=len(frame))
        if sum(counts) == int(max_packets):
            break
    for output in outputs:
        output.close()
    if not sum(counts):
        sys.exit("%s: no packets" % capture)
    print("%s: %d + %d packets" % (prefix.split("/")[-1], *counts))


main()
