# SPDX-License-Identifier: Apache-2.0
"""Cases about what flows match."""

from kit import *

# Flow 1 catches what is meant and sends it to port 2; the rest goes to 3.
ELSE = "\npriority=0 actions=output:3"


def hits(name, match, packets, hit, **kw):
    """PACKETS enter on port 1; the numbers in HIT match MATCH."""
    flows = "\n".join("priority=10,%s actions=output:2" % m
                      for m in match.splitlines() if m.strip())
    rest = [i for i in range(len(packets)) if i not in hit]
    case(name, flows + ELSE, [(1, p) for p in packets], {2: hit, 3: rest},
         **kw)


def tagged(*tags, load=None):
    link = eth()
    for kind, vid, prio in tags:
        link = link / kind(vlan=vid, prio=prio)
    return (load or udp)(net=link / IP(src="10.0.0.1", dst="10.0.0.2"))


case("match-in-port", """
    in_port=1 actions=output:3
    in_port=2 actions=output:1
    """, [(1, udp()), (2, udp()), (3, udp()), (1, arp())],
     {3: [0, 3], 1: [1]},
     lines=["table_miss"])

hits("match-eth-dst", "dl_dst=" + B,
     [udp(), udp(net=ip(link=eth(dst=C))), arp(), icmp6()], [0, 3])
hits("match-eth-dst-mask",
     "dl_dst=01:00:00:00:00:00/01:00:00:00:00:00",
     [udp(), arp(), udp(net=ip(link=eth(dst="01:00:5e:00:00:01")))], [1, 2])
hits("match-eth-src", "dl_src=%s\ndl_src=06:00:00:00:00:00/0f:00:00:00:00:00"
     % A,
     [udp(), udp(net=ip(link=eth(src=C))),
      udp(net=ip(link=eth(src="16:00:00:00:00:01")))], [0, 2])
hits("match-eth-type", "dl_type=0x86dd\ndl_type=0x88b5",
     [udp(), udp6(), eth(type=0x88b5) / b"local experiment", arp(),
      # IEEE 802.3: a length, no type, so dl_type is 0x05ff.
      Ether(eth(type=4) / b"\xaa\xaa\x03\x00")], [1, 2])

hits("match-vlan-vid", "dl_vlan=100",
     [udp(), tagged((Dot1Q, 100, 0)), tagged((Dot1Q, 101, 0)),
      tagged((Dot1Q, 100, 5)), tagged((Dot1Q, 0, 0))], [1, 3])
hits("match-vlan-pcp", "dl_vlan_pcp=5",
     [udp(), tagged((Dot1Q, 100, 5)), tagged((Dot1Q, 100, 4)),
      tagged((Dot1Q, 0, 5))], [1, 3])
hits("match-vlan-none", "vlan_tci=0",
     [udp(), tagged((Dot1Q, 100, 0)), tagged((Dot1Q, 0, 0)), arp()], [0, 3])
hits("match-vlan-any", "vlan_tci=0x1000/0x1000",
     [udp(), tagged((Dot1Q, 100, 0)), tagged((Dot1Q, 0, 0)), arp()], [1, 2])
hits("match-vlan-mask", "vlan_tci=0x1064/0x1ffc",
     [tagged((Dot1Q, v, 0)) for v in (99, 100, 103, 104)], [1, 2])
hits("match-vlan-inside", "dl_vlan=100,ip,nw_dst=10.0.0.2,tp_dst=53,udp",
     [tagged((Dot1Q, 100, 0)), udp(),
      tagged((Dot1Q, 100, 0), load=tcp)], [0])
hits("match-vlan-qinq", "dl_vlan=200",
     [tagged((Dot1AD, 200, 0), (Dot1Q, 100, 0)),
      tagged((Dot1AD, 100, 0), (Dot1Q, 200, 0)),
      tagged((Dot1Q, 200, 0), (Dot1Q, 100, 0))], [0, 2],
     config="set Open_vSwitch . other_config:vlan-limit=2\n")

hits("match-ip-dst", "ip,nw_dst=10.0.0.2",
     [udp(), udp(net=ip(dst="10.0.0.3")), arp(), icmp(), udp6()], [0, 3])
hits("match-ip-prefix", "ip,nw_src=10.1.0.0/16\nip,nw_src=10.0.0.128/25",
     [udp(net=ip(src=s)) for s in ("10.1.2.3", "10.2.0.1", "10.0.0.127",
                                   "10.0.0.128")], [0, 3])
hits("match-ip-mask", "ip,nw_src=10.0.0.1/255.0.0.255",
     [udp(net=ip(src=s)) for s in ("10.1.2.1", "10.1.2.3", "11.0.0.1")], [0])
hits("match-ip-proto", "ip,nw_proto=47",
     [udp(), ip(proto=47) / b"\0\0\x08\0", ip(proto=50) / b"12345678"], [1])
hits("match-ip-tos", "ip,nw_tos=0xb8",
     [udp(net=ip(tos=t)) for t in (0, 0xb8, 0xba, 0xbc)], [1, 2])
hits("match-ip-ecn", "ip,nw_ecn=1",
     [udp(net=ip(tos=t)) for t in (0, 1, 3, 0xb9)], [1, 3])
hits("match-ip-ttl", "ip,nw_ttl=1",
     [udp(net=ip(ttl=t)) for t in (0, 1, 64)], [1])
hits("match-ip-options", "tcp,tp_dst=80",
     [tcp(net=ip(options=b"\x01\x01\x01\x01")),
      tcp(dport=81, net=ip(options=b"\x01" * 8))], [0])


def fragments():
    """Whole, first, middle and last, of UDP to port 53."""
    return [udp(), udp(net=ip(flags="MF")),
            ip(flags="MF", frag=2, proto=17) / (b"x" * 8),
            ip(frag=4, proto=17) / (b"y" * 8)]


for kind, hit in (("no", [0]), ("yes", [1, 2, 3]), ("first", [1]),
                  ("later", [2, 3]), ("not_later", [0, 1])):
    hits("match-frag-" + kind.replace("_", "-"), "ip,ip_frag=" + kind,
         fragments(), hit)
# Unless set-frags says otherwise, a fragment's ports are 0, also the first's.
hits("match-frag-ports", "udp,tp_dst=53", fragments(), [0])
hits("match-frag-no-ports", "udp,tp_dst=0", fragments(), [1, 2, 3])

hits("match-tcp", "tcp,tp_src=1000,tp_dst=80",
     [tcp(), tcp(sport=1001), tcp(dport=81), udp(dport=80), tcp6()], [0])
hits("match-tcp-mask", "tcp,tp_dst=0x50/0xfff0",
     [tcp(dport=d) for d in (0x4f, 0x50, 0x5f, 0x60)], [1, 2])
hits("match-tcp-flags", "tcp,tcp_flags=+syn-ack",
     [tcp(flags=f) for f in ("S", "SA", "A", "SE")], [0, 3])
hits("match-udp", "udp,tp_src=1000\nudp,tp_dst=0x40/0xfff8",
     [udp(), udp(sport=1, dport=0x47), udp(sport=1, dport=0x48), tcp()],
     [0, 1])
hits("match-sctp", "sctp,tp_dst=9",
     [sctp(), sctp(dport=10), udp(dport=9)], [0])
hits("match-icmp", "icmp,icmp_type=8\nicmp,icmp_type=3,icmp_code=1",
     [icmp(), icmp(type=0), icmp(type=3, code=1), icmp(type=3, code=3)],
     [0, 2])
hits("match-arp-op", "arp,arp_op=2",
     [arp(), arp(op=2), arp(op=256)], [1])
hits("match-arp-addresses",
     "arp,arp_spa=10.0.0.1,arp_tpa=10.0.0.0/24,arp_sha=%s\n"
     "arp,arp_tha=%s" % (A, C),
     [arp(), arp(pdst="10.0.1.2"), arp(psrc="10.0.0.9"), arp(hwsrc=B),
      arp(pdst="10.0.1.2", hwdst=C)], [0, 4])

hits("match-ipv6", "ipv6,ipv6_src=fd00::/16,ipv6_dst=fd00::b",
     [udp6(), udp6(net=ip6(dst="fd00::c")), udp6(net=ip6(src="fe80::a")),
      udp(), icmp6()], [0, 4])
hits("match-ipv6-mask", "ipv6,ipv6_dst=::b/::ffff",
     [udp6(), udp6(net=ip6(dst="2001:db8::b")),
      udp6(net=ip6(dst="fd00::1:c"))], [0, 1])
hits("match-ipv6-label", "ipv6,ipv6_label=0x12345",
     [udp6(net=ip6(fl=0x12345)), udp6(net=ip6(fl=0x12346)), udp6()], [0])
hits("match-ipv6-class", "ipv6,nw_tos=0xb8\nipv6,nw_ttl=1",
     [udp6(net=ip6(tc=0xb8)), udp6(), udp6(net=ip6(hlim=1))], [0, 2])
hits("match-ipv6-ports", "tcp6,tp_dst=80\nudp6,tp_src=1000",
     [tcp6(), tcp6(dport=81), udp6(), udp6(sport=1)], [0, 2])
hits("match-ipv6-extension", "udp6,tp_dst=53",
     [udp(net=ip6() / IPv6ExtHdrHopByHop()),
      tcp(net=ip6() / IPv6ExtHdrHopByHop())], [0])
hits("match-ipv6-frag", "ipv6,ip_frag=later",
     [udp6(), ip6() / IPv6ExtHdrFragment(m=1, nh=17) / (b"x" * 16),
      ip6() / IPv6ExtHdrFragment(offset=2, nh=17) / (b"y" * 16)], [2])
hits("match-icmp6", "icmp6,icmp_type=128", [icmp6(), udp6(),
     ip6() / ICMPv6EchoReply(id=7, seq=1)], [0])


def solicit(target="fd00::b", lladdr=A):
    return (ip6(dst="ff02::1:ff00:b", hlim=255) / ICMPv6ND_NS(tgt=target)
            / ICMPv6NDOptSrcLLAddr(lladdr=lladdr))


def advertise(target="fd00::b", lladdr=B):
    return (ip6(hlim=255) / ICMPv6ND_NA(tgt=target)
            / ICMPv6NDOptDstLLAddr(lladdr=lladdr))


hits("match-nd",
     "icmp6,icmp_type=135,nd_target=fd00::b,nd_sll=%s\n"
     "icmp6,icmp_type=136,nd_target=fd00::/64,nd_tll=%s" % (A, B),
     [solicit(), solicit(target="fd00::c"), solicit(lladdr=C), advertise(),
      advertise(lladdr=C), advertise(target="fd01::b")], [0, 3])

case("match-priority", """
    priority=30,ip,nw_dst=10.0.0.2,udp,tp_dst=53 actions=output:2
    priority=20,ip,nw_dst=10.0.0.0/24 actions=output:3
    priority=10,udp actions=drop
    priority=5 actions=output:4
    """, [(1, udp()), (1, udp(dport=54)), (1, udp(net=ip(dst="10.1.0.1"))),
          (1, arp())],
     {2: [0], 3: [1], 4: [3]}, ports=(1, 2, 3, 4))

case("match-metadata", """
    table=0,udp actions=write_metadata:0x1122334455667788,goto_table:1
    table=0,tcp actions=write_metadata:0xff00/0xff00,goto_table:1
    table=0 actions=goto_table:1
    table=1,metadata=0x1122334455667788 actions=output:2
    table=1,metadata=0xff00/0xffff actions=output:3
    table=1,metadata=0 actions=output:4
    """, [(1, udp()), (1, tcp()), (1, arp())],
     {2: [0], 3: [1], 4: [2]}, ports=(1, 2, 3, 4))

case("match-registers", """
    table=0,udp actions=load:7->NXM_NX_REG0[],load:5->NXM_NX_REG7[4..7],resubmit(,1)
    table=0,tcp actions=set_field:0x123456789abcdef0->xreg1,resubmit(,1)
    table=0 actions=resubmit(,1)
    table=1,reg0=7,reg7=0x50/0xf0 actions=output:2
    table=1,reg2=0x12345678,reg3=0x9abcdef0 actions=output:3
    table=1,reg0=0,reg2=0 actions=output:4
    """, [(1, udp()), (1, tcp()), (1, arp())],
     {2: [0], 3: [1], 4: [2]}, ports=(1, 2, 3, 4))
