# SPDX-License-Identifier: Apache-2.0
"""Cases about NORMAL, VLANs of ports, time, bad packets and captures."""

from act import tag
from kit import *

NORMAL = "actions=NORMAL"


def from_to(src, dst, make=udp):
    return make(net=ip(link=eth(src=src, dst=dst)))


# MAC learning.

case("normal-learning", NORMAL,
     [(1, from_to(A, B)),           # B is unknown: flood.
      (2, from_to(B, A)),           # A is known.
      (1, from_to(A, B)),           # Now B is.
      (3, from_to(A, B)),           # A has moved to port 3.
      (2, from_to(B, A)),
      (1, arp(hwsrc=C, link=eth(src=C, dst=BCAST)))],
     {1: [1], 2: [0, 2, 3, 5], 3: [0, 4, 5]})
case("normal-same-port", NORMAL,
     [(1, from_to(B, BCAST)), (1, from_to(A, B))],
     {2: [0], 3: [0]}, lines=["normal_same_port"])
case("normal-multicast-source", NORMAL,
     [(1, from_to("03:00:00:00:00:01", BCAST)),
      (2, from_to(B, "03:00:00:00:00:01"))],
     {1: [1], 2: [0], 3: [0, 1]})
case("normal-reserved", NORMAL,
     [(1, from_to(A, "01:80:c2:00:00:0%x" % i)) for i in range(16)]
     + [(1, from_to(A, "01:80:c2:00:00:10"))],
     {2: [16], 3: [16]}, lines=["normal_reserved"])
case("normal-forward-bpdu", NORMAL,
     [(1, from_to(A, "01:80:c2:00:00:00"))], {2: [0], 3: [0]},
     config="set Bridge br0 other_config:forward-bpdu=true\n")
case("normal-aging", NORMAL,
     [(1, from_to(A, BCAST)), (2, at(14, from_to(B, A))),
      (2, at(17, from_to(B, A)))],
     {1: [1, 2], 2: [0], 3: [0, 2]},
     config="set Bridge br0 other_config:mac-aging-time=15\n")
# A full table forgets the address that it has heard of least recently.
case("normal-table-size", NORMAL,
     [(1, from_to("02:00:00:00:01:%02x" % i, BCAST)) for i in range(11)]
     + [(2, from_to(B, "02:00:00:00:01:0a"))]
     + [(2, from_to(B, "02:00:00:00:01:00"))],
     {1: [11, 12], 2: list(range(11)), 3: list(range(11)) + [12]},
     config="set Bridge br0 other_config:mac-table-size=10\n")
case("normal-after-rewrite", """
    udp actions=mod_nw_dst:10.0.0.9,NORMAL
    tcp actions=NORMAL,output:3
    """,
     [(2, from_to(B, BCAST)), (1, from_to(A, B)), (1, from_to(A, B, tcp))],
     {1: [(0, changed(from_to(B, BCAST), IP_dst="10.0.0.9"))],
      2: [(1, changed(from_to(A, B), IP_dst="10.0.0.9")), 2],
      3: [(0, changed(from_to(B, BCAST), IP_dst="10.0.0.9")), 2]})
case("fail-mode-standalone", "table=1 actions=drop",
     [(1, from_to(A, B)), (2, from_to(B, A)), (1, from_to(A, B))],
     {1: [1], 2: [0, 2], 3: [0]},
     config="set-fail-mode br0 standalone\n")

# VLANs of ports.

ACCESS = """set port p1 tag=10
set port p2 tag=10
set port p3 tag=20
set port p4 trunks=10,20
"""
FOUR = (1, 2, 3, 4)

case("normal-access", NORMAL,
     [(1, from_to(A, BCAST)), (3, from_to(C, BCAST)),
      (2, from_to(B, A)), (3, from_to(C, A))],
     {1: [2], 2: [0],
      4: [(0, tag(from_to(A, BCAST), (Dot1Q, 10, 0))),
          (1, tag(from_to(C, BCAST), (Dot1Q, 20, 0))),
          # A is not known in VLAN 20.
          (3, tag(from_to(C, A), (Dot1Q, 20, 0)))]},
     config=ACCESS, ports=FOUR)
case("normal-access-tagged-in", NORMAL,
     [(1, tag(from_to(A, BCAST), (Dot1Q, 10, 0))),
      # A priority tag is no VLAN.
      (1, tag(from_to(A, BCAST), (Dot1Q, 0, 5)))],
     {2: [(1, from_to(A, BCAST))],
      4: [(1, tag(from_to(A, BCAST), (Dot1Q, 10, 5)))]},
     config=ACCESS, ports=FOUR, lines=["normal_vlan"])
case("normal-trunk", NORMAL,
     [(4, tag(from_to(A, BCAST), (Dot1Q, 10, 3))),
      (4, tag(from_to(A, BCAST), (Dot1Q, 20, 0))),
      (4, tag(from_to(A, BCAST), (Dot1Q, 30, 0))),
      (4, from_to(A, BCAST)),
      (1, from_to(B, A))],
     {1: [(0, from_to(A, BCAST))], 2: [(0, from_to(A, BCAST))],
      3: [(1, from_to(A, BCAST))],
      4: [(4, tag(from_to(B, A), (Dot1Q, 10, 0)))]},
     config=ACCESS, ports=FOUR, lines=["normal_vlan"])
case("normal-native", NORMAL,
     [(1, from_to(A, BCAST)),
      (2, from_to(B, A)), (3, from_to(C, A)),
      (1, tag(from_to(A, B), (Dot1Q, 5, 0))),
      (1, tag(from_to(A, B), (Dot1Q, 20, 0)))],
     # p2 takes the native VLAN untagged, p3 tagged.
     {1: [(1, from_to(B, A)), (2, from_to(C, A))],
      2: [0, (3, from_to(A, B)),
          (4, tag(from_to(A, B), (Dot1Q, 20, 0)))],
      3: [(0, tag(from_to(A, BCAST), (Dot1Q, 5, 0))),
          (4, tag(from_to(A, B), (Dot1Q, 20, 0)))]},
     config="""set port p1 vlan_mode=native-untagged tag=5
set port p2 vlan_mode=native-untagged tag=5
set port p3 vlan_mode=native-tagged tag=5
""")
case("normal-priority-tags", NORMAL,
     [(1, tag(from_to(A, BCAST), (Dot1Q, 0, 6))),
      (1, from_to(A, BCAST))],
     {2: [(0, tag(from_to(A, BCAST), (Dot1Q, 0, 6))),
          (1, from_to(A, BCAST))],
      # "always" is about VLAN 0 of a tag that came in, even with priority 0.
      3: [(0, tag(from_to(A, BCAST), (Dot1Q, 0, 6))), 1]},
     config="""set port p1 tag=10
set port p2 tag=10 other_config:priority-tags=if-nonzero
set port p3 tag=10 other_config:priority-tags=always
""")
case("normal-flood-vlan", NORMAL,
     [(1, from_to(A, BCAST)), (2, from_to(B, A))],
     {1: [1], 2: [0],
      # No learning in VLAN 10, so everything floods.
      4: [(0, tag(from_to(A, BCAST), (Dot1Q, 10, 0))),
          (1, tag(from_to(B, A), (Dot1Q, 10, 0)))]},
     config=ACCESS + "set bridge br0 flood_vlans=10\n", ports=FOUR)

# Time.

case("idle-timeout", """
    priority=2,idle_timeout=3,udp actions=output:2
    priority=1 actions=output:3
    """,
     [(1, at(t, udp())) for t in (0, 2.5, 5, 7.5, 11.5, 12)],
     {2: [0, 1, 2, 3], 3: [4, 5]})
case("hard-timeout", """
    priority=2,hard_timeout=10,send_flow_rem,udp actions=output:2
    priority=1 actions=output:3
    """,
     [(1, at(t, udp())) for t in (0, 4, 7, 12.5, 13)],
     {2: [0, 1, 2], 3: [3, 4]},
     lines=["flow removed (hard): table=0, n_packets=3, n_bytes=138"])

# Packets that are cut or make no sense.  Whatever is missing cannot match.

WHOLE = [raw(p) for p in (tcp(), udp6(), arp(), tag(udp(), (Dot1Q, 100, 0)),
                          sctp(), icmp())]
CUT = [(1, p[:size]) for p in WHOLE for size in range(14, len(p))]

case("malformed-passed-on", "actions=output:2", CUT,
     {2: list(range(len(CUT)))})
# A tag that is cut could hide any VLAN, so NORMAL drops it.
GOOD = [i for i, (_, p) in enumerate(CUT)
        if p[12:14] != b"\x81\x00" or len(p) >= 18]
case("malformed-normal", NORMAL, CUT, {2: GOOD, 3: GOOD})


def cut_hits(packet, needed, match):
    """Cut to 'needed' bytes or more, PACKET matches."""
    whole = raw(packet)
    sizes = list(range(14, len(whole) + 1))
    hit = [i for i, size in enumerate(sizes) if size >= needed]
    rest = [i for i, size in enumerate(sizes) if size < needed]
    return ("priority=1,%s actions=output:2\npriority=0 actions=output:3"
            % match, [(1, whole[:size]) for size in sizes],
            {2: hit, 3: rest})


# The IP header's length field covers the payload, so all of it is needed.
case("malformed-ip", *cut_hits(udp(), len(raw(udp())),
                           "ip,nw_dst=10.0.0.2"))
case("malformed-udp", *cut_hits(udp(), len(raw(udp())), "udp,tp_dst=53"))
case("malformed-ipv6", *cut_hits(udp6(), len(raw(udp6())),
                             "ipv6,ipv6_dst=fd00::b"))
case("malformed-arp", *cut_hits(arp(), 42, "arp,arp_op=1"))
case("malformed-ip-header", """
    priority=1,udp,tp_dst=53 actions=output:2
    priority=0 actions=output:3
    """,
     [(1, udp()),
      (1, udp(net=ip(ihl=4))),              # Header shorter than 20 bytes.
      (1, udp(net=ip(ihl=15))),             # Options past the end.
      (1, udp(net=ip(len=20))),             # No room for UDP.
      (1, udp(net=ip(len=1000))),           # Longer than the packet.
      (1, udp() / (b"\0" * 18)),            # Padding.
      (1, udp(net=ip(chksum=0)))],          # Nobody verifies it.
     {2: [0, 5, 6], 3: [1, 2, 3, 4]})

# Runts: a wire or a tap never delivers them, a capture may hold them.
case("malformed-runts", "actions=output:2",
     [(1, b"\x02" * size) for size in range(0, 14)]
     + [(1, udp())], {2: [14]}, lines=["14      0                   0  runt"],
     stock=False)

# Captures of real programs.

for name in ("ping", "ping6", "arping", "http", "http6", "dns", "iperf-tcp",
             "iperf-tcp6", "iperf-udp", "fragments", "fragments6", "refused",
             "multicast", "vlan", "qinq", "link-up"):
    packets = capture(name)
    case("capture-" + name, NORMAL, packets,
         {2: [i for i, (port, _) in enumerate(packets) if port == 1],
          1: [i for i, (port, _) in enumerate(packets) if port == 2]},
         ports=(1, 2))


def ethertype(data):
    return data[12:14]


def is_tcp_to(data, port):
    return (ethertype(data) == b"\x08\x00" and data[23] == 6
            and data[36:38] == port.to_bytes(2, "big"))


packets = capture("http")
case("capture-http-blocked", """
    priority=10,tcp,tp_dst=80 actions=drop
    priority=0 actions=NORMAL
    """, packets,
     {2: [i for i, (port, p) in enumerate(packets)
          if port == 1 and not is_tcp_to(p.packet, 80)],
      1: [i for i, (port, _) in enumerate(packets) if port == 2]},
     ports=(1, 2))


def vlan_changed(data, vid):
    return data[:14] + vid.to_bytes(2, "big") + data[16:]


packets = capture("vlan")
case("capture-vlan-changed", """
    in_port=1,dl_vlan=100 actions=mod_vlan_vid:200,output:2
    in_port=2,dl_vlan=100 actions=strip_vlan,output:1
    """, packets,
     {2: [(i, vlan_changed(p.packet, 200))
          for i, (port, p) in enumerate(packets) if port == 1],
      1: [(i, p.packet[:12] + p.packet[16:])
          for i, (port, p) in enumerate(packets) if port == 2]},
     ports=(1, 2))


def routed(data, dst, src):
    """As a router passes an IPv4 packet on: new link addresses, TTL."""
    packet = Ether(data)
    packet.dst, packet.src = dst, src
    packet[IP].ttl -= 1
    del packet[IP].chksum
    return bytes_of(packet)


packets = [(port, p) for port, p in capture("dns")
           if ethertype(p.packet) == b"\x08\x00"]
case("capture-dns-routed", """
    ip,nw_dst=10.0.0.2 actions=mod_dl_src:%s,mod_dl_dst:%s,dec_ttl,output:2
    ip,nw_dst=10.0.0.0/30 actions=mod_dl_src:%s,mod_dl_dst:%s,dec_ttl,output:1
    """ % (A, B, B, C), packets,
     {2: [(i, routed(p.packet, B, A))
          for i, (port, p) in enumerate(packets) if port == 1],
      1: [(i, routed(p.packet, C, B))
          for i, (port, p) in enumerate(packets) if port == 2]},
     ports=(1, 2))
