# SPDX-License-Identifier: Apache-2.0
"""What the definitions of replay cases are written with.

A case says what goes in and, packet by packet, what must come out.  Expected
packets are built here from the protocols' rules (scapy computes lengths and
checksums), never taken from a switch."""

import os
import shutil

from scapy.all import (ARP, Dot1AD, Dot1Q, Ether, ICMP, ICMPv6EchoReply,
                       ICMPv6EchoRequest, ICMPv6ND_NA, ICMPv6ND_NS,
                       ICMPv6NDOptDstLLAddr, ICMPv6NDOptSrcLLAddr, IP,
                       IPv6, IPv6ExtHdrFragment, IPv6ExtHdrHopByHop, Raw,
                       SCTP, SCTPChunkData, TCP, UDP, conf, raw)
from scapy.utils import RawPcapReader, RawPcapWriter

__all__ = ["ARP", "Dot1AD", "Dot1Q", "Ether", "ICMP", "ICMPv6EchoReply",
           "ICMPv6EchoRequest", "ICMPv6ND_NA", "ICMPv6ND_NS",
           "ICMPv6NDOptDstLLAddr", "ICMPv6NDOptSrcLLAddr", "IP", "IPv6",
           "IPv6ExtHdrFragment", "IPv6ExtHdrHopByHop", "Raw", "SCTP",
           "SCTPChunkData", "TCP", "UDP", "raw", "A", "B", "C", "BCAST",
           "case", "CASES", "capture", "eth", "ip", "ip6", "tcp", "udp",
           "icmp", "tcp6", "udp6", "icmp6", "sctp", "arp", "at", "changed",
           "bytes_of"]

conf.checkIPaddr = False

HERE = os.path.dirname(os.path.abspath(__file__))
TOP = os.path.dirname(HERE)
EPOCH_US = 1577836800 * 1000000         # 2020-01-01 00:00:00 UTC

A, B, C = ("02:00:00:00:00:0a", "02:00:00:00:00:0b", "02:00:00:00:00:0c")
BCAST = "ff:ff:ff:ff:ff:ff"
CASES = {}


# Packets of hosts A (10.0.0.1, fd00::a) and B (10.0.0.2, fd00::b).

def eth(src=A, dst=B, **kw):
    return Ether(src=src, dst=dst, **kw)


def ip(src="10.0.0.1", dst="10.0.0.2", link=None, **kw):
    return (link or eth()) / IP(src=src, dst=dst, **kw)


def ip6(src="fd00::a", dst="fd00::b", link=None, **kw):
    return (link or eth()) / IPv6(src=src, dst=dst, **kw)


def tcp(sport=1000, dport=80, net=None, flags="S", load=b"data"):
    return (net or ip()) / TCP(sport=sport, dport=dport, flags=flags) / load


def udp(sport=1000, dport=53, net=None, load=b"data", **kw):
    return (net or ip()) / UDP(sport=sport, dport=dport, **kw) / load


def icmp(type=8, code=0, net=None):
    return (net or ip()) / ICMP(type=type, code=code, id=7, seq=1) / b"ping"


def tcp6(sport=1000, dport=80, net=None):
    return tcp(sport, dport, net or ip6())


def udp6(sport=1000, dport=53, net=None):
    return udp(sport, dport, net or ip6())


def icmp6(net=None):
    return (net or ip6()) / ICMPv6EchoRequest(id=7, seq=1, data=b"ping")


def sctp(sport=1000, dport=9, net=None):
    return ((net or ip()) / SCTP(sport=sport, dport=dport, tag=1)
            / SCTPChunkData(data=b"data"))


def arp(op=1, psrc="10.0.0.1", pdst="10.0.0.2", hwsrc=A,
        hwdst="00:00:00:00:00:00", link=None):
    return ((link or eth(dst=BCAST))
            / ARP(op=op, psrc=psrc, pdst=pdst, hwsrc=hwsrc, hwdst=hwdst))


def changed(packet, **fields):
    """A copy of PACKET with LAYER_field=value set and sums made anew."""
    packet = Ether(raw(packet))
    for name, value in fields.items():
        layer, field = name.split("_", 1)
        packet[layer].setfieldval(field, value)
    for layer in packet.layers():
        if layer in (IP, TCP, UDP, ICMP, SCTP):
            del packet[layer].chksum
        elif layer.__name__.startswith("ICMPv6") and hasattr(
                packet[layer], "cksum"):
            del packet[layer].cksum
    return packet


def bytes_of(packet):
    return packet if isinstance(packet, bytes) else raw(packet)


class at:
    """PACKET arrives SECONDS after the start."""

    def __init__(self, seconds, packet):
        self.usec = int(round(seconds * 1000000))
        self.packet = packet


def capture(name):
    """[(port, at(seconds, bytes))] of a capture, both ends."""
    packets = []
    for port in (1, 2):
        path = os.path.join(TOP, "captures", "%s.%d.pcap" % (name, port))
        for data, meta in RawPcapReader(path):
            usec = meta.sec * 1000000 + meta.usec - EPOCH_US
            packets.append((port, at(usec / 1e6, data)))
    packets.sort(key=lambda item: item[1].usec)
    return packets


# Cases.

def lines_of(text):
    return "".join(line.strip() + "\n"
                   for line in text.strip().splitlines())


class Case:
    """One folder.  See case()."""

    def __init__(self, name, flows, packets, expect, **kw):
        self.name = name
        self.flows = lines_of(flows)
        self.config = kw.pop("config", "")
        self.groups = lines_of(kw.pop("groups", ""))
        self.meters = lines_of(kw.pop("meters", ""))
        self.options = kw.pop("options", [])
        self.lines = kw.pop("lines", [])
        self.stock = kw.pop("stock", True)
        ports = kw.pop("ports", (1, 2, 3))
        assert not kw, kw
        self.inputs = {port: [] for port in ports}
        self.expected = {port: [] for port in ports}
        self.order = []
        now = 0
        for port, packet in packets:
            now = packet.usec if isinstance(packet, at) else now + 1000
            if isinstance(packet, at):
                packet = packet.packet
            entry = (now, bytes_of(packet))
            self.inputs[port].append(entry)
            self.order.append((port,) + entry)
        for port, items in expect.items():
            self.expected[port] = [self.expected_packet(item)
                                   for item in items]

    def expected_packet(self, item):
        """ITEM is the number of an input packet that leaves unchanged, or
        (number, packet) for one that leaves as PACKET."""
        number, packet = item if isinstance(item, tuple) else (item, None)
        _, usec, data = self.order[number]
        return (usec, data if packet is None else bytes_of(packet))

    @property
    def folder(self):
        return os.path.join(TOP, self.name)

    def write_text(self, name, text):
        if text:
            with open(os.path.join(self.folder, name), "w") as f:
                f.write(text)

    def write_pcap(self, name, packets):
        writer = RawPcapWriter(os.path.join(self.folder, name), linktype=1)
        writer.write_header(b"")
        for usec, data in packets:
            sec, usec = divmod(EPOCH_US + usec, 1000000)
            writer.write_packet(data, sec=sec, usec=usec, caplen=len(data),
                                wirelen=len(data))
        writer.close()

    def write(self):
        """Makes the folder anew, but for stats.txt."""
        stats = None
        path = os.path.join(self.folder, "stats.txt")
        if os.path.exists(path):
            with open(path) as f:
                stats = f.read()
        shutil.rmtree(self.folder, ignore_errors=True)
        os.mkdir(self.folder)
        self.write_text("flows.txt", self.flows)
        self.write_text("config.txt", self.config)
        self.write_text("groups.txt", self.groups)
        self.write_text("meters.txt", self.meters)
        self.write_text("options.txt",
                        "".join(o + "\n" for o in self.options))
        self.write_text("lines.txt", "".join(o + "\n" for o in self.lines))
        self.write_text("stats.txt", stats)
        for port, packets in self.inputs.items():
            if packets:
                self.write_pcap("in.%s.pcap" % port, packets)
        for port, packets in self.expected.items():
            self.write_pcap("expect.%s.pcap" % port, packets)


def case(name, flows, packets, expect, **kw):
    """Defines a case.

    FLOWS    text in ovs-ofctl's syntax
    PACKETS  [(port, packet or at(seconds, packet))], otherwise 1 ms apart
    EXPECT   {port: [number or (number, packet)]}: what leaves, see
             expected_packet(); a port that is not there sends nothing;
             `controller' stands for packet-ins
    config   bvs-vsctl commands; options: further options of bvs-replay
    lines    lines that the report must contain
    stock    False if stock Open vSwitch cannot do it (say why)
    """
    assert name not in CASES, name
    CASES[name] = Case(name, flows, packets, expect, **kw)
