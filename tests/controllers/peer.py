#!/usr/bin/python3
# SPDX-License-Identifier: Apache-2.0
"""One end of an OpenFlow channel that does what it is told: a controller, of
which a test can see each message.

usage: peer.py [--port PORT] [--version N] [--key FILE --cert FILE --ca FILE]

Listens on 127.0.0.1, with TLS if it is given keys, for one switch at a time.
--version is the number on the wire (4, OpenFlow 1.3, by default).  It carries
out the orders that come on standard input, lines, once a switch is there, and
ends with it:

    role NAME GENERATION    equal, primary or secondary
    async PIN PORT FLOW     masks of a primary, numbers (OpenFlow 1.3)
    format N                Nicira's set_packet_in_format
    port-mod                a change that a secondary may not make
    say TEXT                prints it

and prints a line for each message that it gets, but echo requests:

    up, down, hello, features DPID, role NAME GENERATION, error TYPE CODE,
    packet-in KIND REASON   KIND: openflow, nxm or nxt2 (its REASON: -)
    port-status, flow-removed, other TYPE
"""

import argparse
import os
import select
import socket
import ssl
import struct
import sys

HELLO, ERROR, ECHO, ECHO_REPLY, EXPERIMENTER, FEATURES, FEATURES_REPLY = (
    range(7))
PACKET_IN, FLOW_REMOVED, PORT_STATUS = 10, 11, 12
PORT_MOD, ROLE, ROLE_REPLY, SET_ASYNC = 16, 24, 25, 28
ROLES = ["nochange", "equal", "primary", "secondary"]
NICIRA = 0x2320
NX_FORMAT, NX_PACKET_IN, NX_PACKET_IN2 = 16, 17, 30


def say(*what):
    print(*what, flush=True)


class Peer:
    """What is said on one connection."""

    def __init__(self, sock, version):
        self.sock = sock
        self.version = version
        self.buffer = b""
        self.xid = 0

    def send(self, kind, body=b"", xid=None):
        self.xid += 1
        self.sock.sendall(struct.pack("!BBHI", self.version, kind,
                                      8 + len(body),
                                      self.xid if xid is None else xid)
                          + body)

    def order(self, line):
        words = line.split()
        if words[0] == "role":
            self.send(ROLE, struct.pack("!I4xQ", ROLES.index(words[1]),
                                        int(words[2])))
        elif words[0] == "async":
            masks = [int(word, 0) for word in words[1:]]
            self.send(SET_ASYNC, b"".join(struct.pack("!II", mask, 0)
                                          for mask in masks))
        elif words[0] == "format":
            self.send(EXPERIMENTER, struct.pack("!III", NICIRA, NX_FORMAT,
                                                int(words[1])))
        elif words[0] == "port-mod":
            self.send(PORT_MOD, struct.pack("!I4x6s2xIII4x", 1, bytes(6), 0,
                                            0, 0))
        else:
            say(*words[1:])

    def packet_in(self, kind, body):
        if kind == "openflow":
            say("packet-in", kind, body[6])
        elif kind == "nxm":
            say("packet-in", kind, body[14])
        else:
            say("packet-in", kind, "-")

    def message(self, kind, xid, body):
        if kind == HELLO:
            say("hello")
            self.send(FEATURES)
        elif kind == ECHO:
            self.send(ECHO_REPLY, body, xid)
        elif kind == FEATURES_REPLY:
            say("features", body[:8].hex())
        elif kind == ERROR:
            say("error", *struct.unpack_from("!HH", body))
        elif kind == ROLE_REPLY:
            role, generation = struct.unpack("!I4xQ", body)
            say("role", ROLES[role], generation)
        elif kind == PACKET_IN:
            self.packet_in("openflow", body)
        elif kind == EXPERIMENTER:
            vendor, subtype = struct.unpack_from("!II", body)
            names = {NX_PACKET_IN: "nxm", NX_PACKET_IN2: "nxt2"}
            if vendor == NICIRA and subtype in names:
                self.packet_in(names[subtype], body[8:])
            else:
                say("other", kind)
        elif kind == FLOW_REMOVED:
            say("flow-removed")
        elif kind == PORT_STATUS:
            say("port-status")
        else:
            say("other", kind)

    def receive(self):
        """False: the switch is gone."""
        try:
            data = self.sock.recv(65536)
        except ssl.SSLWantReadError:
            return True
        except OSError:
            return False
        self.buffer += data
        while len(self.buffer) >= 8:
            _, kind, size, xid = struct.unpack_from("!BBHI", self.buffer)
            if len(self.buffer) < size:
                break
            body, self.buffer = self.buffer[8:size], self.buffer[size:]
            self.message(kind, xid, body)
        return bool(data)


def orders():
    """The lines that are there."""
    lines = os.read(0, 4096).decode()
    for line in lines.splitlines():
        yield line
    if not lines:
        sys.exit()


def serve(sock, version):
    peer = Peer(sock, version)
    say("up")
    peer.send(HELLO)
    while True:
        pending = getattr(sock, "pending", lambda: 0)()
        ready = ([sock] if pending
                 else select.select([sock, 0], [], [])[0])
        if 0 in ready:
            for line in orders():
                peer.order(line)
        if sock in ready and not peer.receive():
            say("down")
            return


def main():
    parser = argparse.ArgumentParser(description="OpenFlow peer")
    parser.add_argument("--port", type=int, default=6653)
    parser.add_argument("--version", type=int, default=4)
    for name in ("key", "cert", "ca"):
        parser.add_argument("--" + name)
    args = parser.parse_args()
    listener = socket.create_server(("127.0.0.1", args.port))
    context = None
    if args.key:
        context = ssl.create_default_context(ssl.Purpose.CLIENT_AUTH,
                                             cafile=args.ca)
        context.verify_mode = ssl.CERT_REQUIRED
        context.load_cert_chain(args.cert, args.key)
    say("listening")
    while True:
        sock = listener.accept()[0]
        try:
            if context:
                sock = context.wrap_socket(sock, server_side=True)
            serve(sock, args.version)
        except OSError as error:    # ssl.SSLError is one.
            say("refused", type(error).__name__)
        sock.close()


if __name__ == "__main__":
    main()
