# SPDX-License-Identifier: Apache-2.0
"""Packets from one line of text.

    eth / vlan 5 / ip 10.0.0.1 10.0.0.2 ttl=3 / udp 1000 53 / text hello

Layers follow each other, outermost first; each is a word with values in
order and then NAME=VALUE.  Lengths, types, protocols and checksums are those
of a correct packet unless given:

    eth [DST [SRC]] type=        vlan VID pcp= tpid=       mpls LABEL ttl=
    arp OP SHA SPA THA TPA       ip SRC DST ttl= tos= id= frag= proto= opts=
    ip6 SRC DST hlim= class= flow= next=
    hop | dstopt | route [HEX]   frag6 OFFSET more= id=
    tcp SPORT DPORT flags=SAFRPU seq= ack= win= opts=HEX sum=
    udp SPORT DPORT sum= len=    icmp TYPE CODE ID SEQ sum=     icmp6 likewise
    gre key= proto=              vxlan VNI                gtpu TEID
    hex HEX    text WORDS        zero N    x BYTE N (that byte N times)
"""

import ipaddress
import struct


def checksum(data, start=0):
    if len(data) % 2:
        data += b"\0"
    total = start + sum(struct.unpack("!%dH" % (len(data) // 2), data))
    while total >> 16:
        total = (total & 0xffff) + (total >> 16)
    return ~total & 0xffff


def mac(text):
    if ":" not in text:
        return bytes([2, 0, 0, 0, 0, int(text, 0)])
    return bytes(int(x, 16) for x in text.split(":"))


ETHERTYPE = {"vlan": 0x8100, "mpls": 0x8847, "arp": 0x0806, "ip": 0x0800,
             "ip6": 0x86dd}
PROTO = {"icmp": 1, "ip": 4, "tcp": 6, "udp": 17, "ip6": 41, "route": 43,
         "frag6": 44, "gre": 47, "icmp6": 58, "none": 59, "dstopt": 60,
         "hop": 0}
FLAGS = {"F": 1, "S": 2, "R": 4, "P": 8, "A": 16, "U": 32, "E": 64, "C": 128}


class Layer:
    """One word with its values; `args' in order, `named' by name."""

    def __init__(self, text):
        words = text.split()
        self.kind = words[0]
        self.args = [w for w in words[1:] if "=" not in w]
        self.named = dict(w.split("=", 1) for w in words[1:] if "=" in w)
        self.rest = text.partition(" ")[2]

    def arg(self, index, default):
        return self.args[index] if index < len(self.args) else default

    def number(self, name, default):
        value = self.named.get(name, default)
        return value if isinstance(value, int) else int(value, 0)

    def arg_number(self, index, default=0):
        return int(str(self.arg(index, default)), 0)


def next_type(layer, inner, name, table, default):
    if name in layer.named:
        return layer.number(name, 0)
    return table.get(inner.kind if inner else "", default)


def pseudo(outer, proto, length):
    """The pseudo header that the nearest IP header around gives."""
    for layer in reversed(outer):
        if layer.kind == "ip":
            return (ipaddress.IPv4Address(layer.args[0]).packed
                    + ipaddress.IPv4Address(layer.args[1]).packed
                    + struct.pack("!HH", proto, length))
        if layer.kind == "ip6":
            return (ipaddress.IPv6Address(layer.args[0]).packed
                    + ipaddress.IPv6Address(layer.args[1]).packed
                    + struct.pack("!II", length, proto))
    return b""


def with_sum(layer, data, at, head):
    """DATA with its checksum, at offset AT, of itself and HEAD."""
    value = layer.number("sum", checksum(head + data))
    if layer.kind == "udp" and "sum" not in layer.named and not value:
        value = 0xffff
    return data[:at] + struct.pack("!H", value) + data[at + 2:]


def eth(layer, inner, outer, payload):
    kind = next_type(layer, inner, "type", ETHERTYPE, 0x88b5)
    if inner and inner.kind == "vlan":
        kind = inner.number("tpid", 0x8100)
    return (mac(layer.arg(0, "2")) + mac(layer.arg(1, "1"))
            + struct.pack("!H", kind) + payload)


def vlan(layer, inner, outer, payload):
    kind = next_type(layer, inner, "type", ETHERTYPE, 0x88b5)
    tci = layer.arg_number(0) | layer.number("pcp", 0) << 13
    return struct.pack("!HH", tci, kind) + payload


def mpls(layer, inner, outer, payload):
    bottom = not inner or inner.kind != "mpls"
    return struct.pack("!I", layer.arg_number(0) << 12 | bottom << 8
                       | layer.number("ttl", 64)) + payload


def arp(layer, inner, outer, payload):
    return (struct.pack("!HHBBH", 1, 0x0800, 6, 4, layer.arg_number(0, 1))
            + mac(layer.arg(1, "1"))
            + ipaddress.IPv4Address(layer.arg(2, "10.0.0.1")).packed
            + mac(layer.arg(3, "0"))
            + ipaddress.IPv4Address(layer.arg(4, "10.0.0.2")).packed
            + payload)


def ip(layer, inner, outer, payload):
    options = bytes.fromhex(layer.named.get("opts", ""))
    size = 20 + len(options)
    head = struct.pack(
        "!BBHHHBBH", 0x40 | layer.number("ihl", size // 4),
        layer.number("tos", 0), layer.number("len", size + len(payload)),
        layer.number("id", 0), layer.number("frag", 0),
        layer.number("ttl", 64),
        next_type(layer, inner, "proto", PROTO, 253), 0)
    head += (ipaddress.IPv4Address(layer.args[0]).packed
             + ipaddress.IPv4Address(layer.args[1]).packed + options)
    return with_sum(layer, head, 10, b"") + payload


def ip6(layer, inner, outer, payload):
    word = (6 << 28 | layer.number("class", 0) << 20
            | layer.number("flow", 0))
    return (struct.pack("!IHBB", word, layer.number("len", len(payload)),
                        next_type(layer, inner, "next", PROTO, 59),
                        layer.number("hlim", 64))
            + ipaddress.IPv6Address(layer.args[0]).packed
            + ipaddress.IPv6Address(layer.args[1]).packed + payload)


def extension(layer, inner, outer, payload):
    body = bytes.fromhex(layer.arg(0, "010400000000"))
    body += bytes(-(len(body) + 2) % 8)
    return bytes([next_type(layer, inner, "next", PROTO, 59),
                  (len(body) + 2) // 8 - 1]) + body + payload


def frag6(layer, inner, outer, payload):
    return struct.pack("!BBHI", next_type(layer, inner, "next", PROTO, 59), 0,
                       layer.arg_number(0) << 3 | layer.number("more", 0),
                       layer.number("id", 1)) + payload


def tcp(layer, inner, outer, payload):
    options = bytes.fromhex(layer.named.get("opts", ""))
    flags = sum(FLAGS[c] for c in layer.named.get("flags", "A"))
    size = 20 + len(options)
    data = struct.pack(
        "!HHIIBBHHH", layer.arg_number(0, 1000), layer.arg_number(1, 80),
        layer.number("seq", 1), layer.number("ack", 0),
        layer.number("off", size // 4) << 4, flags,
        layer.number("win", 1024), 0, 0) + options + payload
    return with_sum(layer, data, 16, pseudo(outer, 6, len(data)))


def udp(layer, inner, outer, payload):
    size = layer.number("len", 8 + len(payload))
    data = struct.pack("!HHHH", layer.arg_number(0, 1000),
                       layer.arg_number(1, 53), size, 0) + payload
    return with_sum(layer, data, 6, pseudo(outer, 17, len(data)))


def icmp(layer, inner, outer, payload):
    data = struct.pack("!BBHHH", layer.arg_number(0, 8), layer.arg_number(1),
                       0, layer.arg_number(2, 1), layer.arg_number(3, 1)
                       ) + payload
    return with_sum(layer, data, 2, pseudo(outer, 58, len(data))
                    if layer.kind == "icmp6" else b"")


def gre(layer, inner, outer, payload):
    kind = next_type(layer, inner, "proto", dict(ETHERTYPE, eth=0x6558), 0)
    key = layer.number("key", -1)
    flags = 0x2000 if key >= 0 else 0
    return (struct.pack("!HH", flags, kind)
            + (struct.pack("!I", key) if key >= 0 else b"") + payload)


def vxlan(layer, inner, outer, payload):
    return struct.pack("!II", layer.number("flags", 0x08000000),
                       layer.arg_number(0) << 8) + payload


def gtpu(layer, inner, outer, payload):
    return struct.pack("!BBHI", 0x30, 255, len(payload),
                       layer.arg_number(0)) + payload


BUILDERS = {
    "eth": eth, "vlan": vlan, "mpls": mpls, "arp": arp, "ip": ip, "ip6": ip6,
    "hop": extension, "dstopt": extension, "route": extension,
    "frag6": frag6, "tcp": tcp, "udp": udp, "icmp": icmp, "icmp6": icmp,
    "gre": gre, "vxlan": vxlan, "gtpu": gtpu,
    "hex": lambda l, i, o, p: bytes.fromhex(l.rest) + p,
    "text": lambda l, i, o, p: l.rest.encode() + p,
    "zero": lambda l, i, o, p: bytes(l.arg_number(0)) + p,
    "x": lambda l, i, o, p: bytes([l.arg_number(0)]) * l.arg_number(1) + p,
}


def build(text):
    layers = [Layer(part.strip()) for part in text.split(" / ")]
    data = b""
    for i in range(len(layers) - 1, -1, -1):
        inner = layers[i + 1] if i + 1 < len(layers) else None
        data = BUILDERS[layers[i].kind](layers[i], inner, layers[:i], data)
    return data
