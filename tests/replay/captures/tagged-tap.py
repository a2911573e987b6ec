#!/usr/bin/python3
# SPDX-License-Identifier: Apache-2.0
"""A VLAN device in user space, for kernels that have none.

usage: tagged-tap.py TAP UPLINK TPID:VID[,TPID:VID...]

Creates the tap interface TAP.  What programs send into TAP leaves UPLINK
with the given 802.1Q/802.1ad tags (outermost first); what arrives on UPLINK
with exactly these VLAN IDs reaches TAP without them.  Ends on SIGTERM.
Prints "ready" once the tap exists."""

import fcntl
import os
import select
import socket
import struct
import sys

TUNSETIFF = 0x400454ca
IFF_TAP = 0x0002
IFF_NO_PI = 0x1000
SOL_PACKET = 263
PACKET_AUXDATA = 8
PACKET_IGNORE_OUTGOING = 23
TP_STATUS_VLAN_VALID = 1 << 4
TP_STATUS_VLAN_TPID_VALID = 1 << 6


def open_tap(name):
    fd = os.open("/dev/net/tun", os.O_RDWR)
    fcntl.ioctl(fd, TUNSETIFF,
                struct.pack("16sH", name.encode(), IFF_TAP | IFF_NO_PI))
    return fd


def open_uplink(name):
    sock = socket.socket(socket.AF_PACKET, socket.SOCK_RAW,
                         socket.htons(0x0003))
    sock.setsockopt(SOL_PACKET, PACKET_AUXDATA, 1)
    sock.setsockopt(SOL_PACKET, PACKET_IGNORE_OUTGOING, 1)
    sock.bind((name, 0))
    return sock


def receive(sock):
    """One frame, with the tag that the kernel took off put back."""
    frame, ancillary, _, _ = sock.recvmsg(65536, 256)
    for level, kind, data in ancillary:
        if level == SOL_PACKET and kind == PACKET_AUXDATA:
            status, _, _, _, _, tci, tpid = struct.unpack("IIIHHHH", data[:20])
            if status & TP_STATUS_VLAN_VALID:
                if not status & TP_STATUS_VLAN_TPID_VALID:
                    tpid = 0x8100
                frame = (frame[:12] + struct.pack("!HH", tpid, tci)
                         + frame[12:])
    return frame


def untag(frame, tags):
    """'frame' without 'tags', or None if it does not carry them."""
    offset = 12
    for tpid, vid in tags:
        if len(frame) < offset + 4:
            return None
        have_tpid, tci = struct.unpack_from("!HH", frame, offset)
        if have_tpid != tpid or tci & 0xfff != vid:
            return None
        offset += 4
    return frame[:12] + frame[offset:]


def main():
    tap_name, uplink_name, tag_list = sys.argv[1:]
    tags = [(int(tpid, 16), int(vid)) for tpid, vid in
            (tag.split(":") for tag in tag_list.split(","))]
    header = b"".join(struct.pack("!HH", tpid, vid) for tpid, vid in tags)

    tap = open_tap(tap_name)
    uplink = open_uplink(uplink_name)
    print("ready", flush=True)
    while True:
        readable, _, _ = select.select([tap, uplink], [], [])
        if tap in readable:
            frame = os.read(tap, 65536)
            uplink.send(frame[:12] + header + frame[12:])
        if uplink in readable:
            frame = untag(receive(uplink), tags)
            if frame:
                try:
                    os.write(tap, frame)
                except OSError:
                    pass        # The tap is still down.


main()
