# SPDX-License-Identifier: Apache-2.0
"""Cases about what actions do."""

from kit import *

SIX = (1, 2, 3, 4, 5, 6)


def rewrites(name, actions, pairs, match="", **kw):
    """PAIRS are (packet in, packet out); ACTIONS apply to every packet."""
    case(name, "%sactions=%s,output:2" % (match and match + " ", actions),
         [(1, p) for p, _ in pairs],
         {2: [(i, out) for i, (_, out) in enumerate(pairs)]}, **kw)


# Output.

case("output-many", "actions=output:2,output:3,output:2",
     [(1, udp()), (1, arp())], {2: [0, 0, 1, 1], 3: [0, 1]})
case("output-in-port", """
    udp actions=output:1,output:2
    tcp actions=in_port,output:2
    arp actions=output:1
    """, [(1, udp()), (1, tcp()), (1, arp())], {1: [1], 2: [0, 1]},
     lines=["in_port"])
case("output-no-port", "actions=output:77", [(1, udp())], {},
     lines=["no_port"])
case("output-all-flood", """
    udp actions=all
    tcp actions=flood
    """, [(1, udp()), (2, tcp())],
     {1: [1], 2: [0], 3: [0, 1], 4: [0, 1]}, ports=(1, 2, 3, 4))
case("output-register", """
    table=0,udp actions=load:2->NXM_NX_REG1[0..15],output:NXM_NX_REG1[0..15]
    table=0,tcp actions=output:NXM_NX_REG1[]
    """, [(1, udp()), (1, tcp())], {2: [0]})
case("drop", """
    priority=2,cookie=0x77,udp actions=drop
    priority=1 actions=output:2
    """, [(1, udp()), (1, tcp()), (1, udp(dport=1))], {2: [1]},
     lines=["0x77"])
case("output-controller", """
    udp actions=controller
    tcp actions=controller(max_len=20),output:2
    arp actions=output:2,controller
    """, [(1, udp()), (1, tcp()), (1, arp())],
     # There are no buffers, so packets come whole whatever max_len says.
     {2: [1, 2], "controller": [0, 1, 2]},
     lines=["packet-ins: 3"])
# An output in between keeps the bytes of its time.
case("output-snapshots", """
    actions=output:2,mod_dl_dst:%s,output:3,mod_nw_dst:10.0.0.9,output:4
    """ % C,
     [(1, udp()), (1, tcp())],
     {2: [0, 1],
      3: [(0, changed(udp(), Ether_dst=C)), (1, changed(tcp(), Ether_dst=C))],
      4: [(0, changed(udp(), Ether_dst=C, IP_dst="10.0.0.9")),
          (1, changed(tcp(), Ether_dst=C, IP_dst="10.0.0.9"))]},
     ports=(1, 2, 3, 4))

# Setting fields.

rewrites("set-eth", "set_field:%s->eth_src,set_field:%s->eth_dst" % (B, C),
         [(p, changed(p, Ether_src=B, Ether_dst=C))
          for p in (udp(), arp(), icmp6(), eth(type=0x88b5) / b"local")])
rewrites("set-eth-mask",
         "load:1->NXM_OF_ETH_DST[40]",
         [(udp(), changed(udp(), Ether_dst="03:00:00:00:00:0b"))])
rewrites("set-ip", "mod_nw_src:192.168.1.1,mod_nw_dst:192.168.1.2",
         [(p, changed(p, IP_src="192.168.1.1", IP_dst="192.168.1.2"))
          for p in (udp(), tcp(), icmp(), sctp(),
                    udp(net=ip(options=b"\x01\x01\x01\x01")),
                    tcp(load=b"odd"))], match="ip")


def without_sum(**kw):
    """UDP whose checksum field of 0 says that there is none."""
    packet = udp(chksum=0)
    for field, value in kw.items():
        packet[IP].setfieldval(field, value)
    return packet


rewrites("set-ip-udp-no-checksum", "mod_nw_src:192.168.1.1",
         [(without_sum(), without_sum(src="192.168.1.1"))], match="ip")


rewrites("set-ip-tos-ttl",
         "mod_nw_tos:0xb8,mod_nw_ecn:2,mod_nw_ttl:33",
         [(udp(net=ip(tos=0x05)), udp(net=ip(tos=0xba, ttl=33))),
          (icmp(), icmp(net=ip(tos=0xba, ttl=33)))], match="ip")
rewrites("set-ipv6",
         "set_field:2001:db8::1->ipv6_src,set_field:2001:db8::2->ipv6_dst",
         [(p(), p(net=ip6(src="2001:db8::1", dst="2001:db8::2")))
          for p in (tcp6, udp6, icmp6)], match="ipv6")
rewrites("set-ipv6-class",
         "set_field:0xabcde->ipv6_label,mod_nw_tos:0xb8,mod_nw_ttl:9",
         [(udp6(net=ip6(tc=1)),
           udp6(net=ip6(fl=0xabcde, tc=0xb9, hlim=9)))], match="ipv6")
rewrites("set-tcp-ports", "mod_tp_src:4321,mod_tp_dst:8080",
         [(tcp(), tcp(sport=4321, dport=8080)),
          (tcp(load=b"odd"), tcp(sport=4321, dport=8080, load=b"odd"))],
         match="tcp")
rewrites("set-udp-ports", "mod_tp_src:4321,mod_tp_dst:5353",
         [(udp(), udp(sport=4321, dport=5353)),
          (udp(chksum=0), udp(sport=4321, dport=5353, chksum=0))],
         match="udp")
rewrites("set-sctp-ports",
         "set_field:4321->sctp_src,set_field:99->sctp_dst",
         [(sctp(), sctp(sport=4321, dport=99))], match="sctp")
rewrites("set-tcp6-ports", "set_field:4321->tcp_src",
         [(tcp6(), tcp6(sport=4321))], match="tcp6")
rewrites("set-icmp", "set_field:0->icmp_type,set_field:3->icmp_code",
         [(icmp(), icmp(type=0, code=3))], match="icmp")

# What turns a question into its answer, as ARP responders do it.
case("arp-responder", """
    arp,arp_op=1,arp_tpa=10.0.0.2 actions=move:NXM_OF_ETH_SRC[]->NXM_OF_ETH_DST[],mod_dl_src:%s,load:2->NXM_OF_ARP_OP[],move:NXM_NX_ARP_SHA[]->NXM_NX_ARP_THA[],move:NXM_OF_ARP_SPA[]->NXM_OF_ARP_TPA[],load:0x02000000000b->NXM_NX_ARP_SHA[],load:0x0a000002->NXM_OF_ARP_SPA[],in_port
    """ % B,
     [(1, arp()), (1, arp(pdst="10.0.0.3")), (2, arp())],
     {1: [(0, arp(op=2, psrc="10.0.0.2", pdst="10.0.0.1", hwsrc=B, hwdst=A,
                  link=eth(src=B, dst=A)))],
      2: [(2, arp(op=2, psrc="10.0.0.2", pdst="10.0.0.1", hwsrc=B, hwdst=A,
                  link=eth(src=B, dst=A)))]})


def solicit(target, lladdr):
    return (ip6(dst="ff02::1:ff00:b", hlim=255) / ICMPv6ND_NS(tgt=target)
            / ICMPv6NDOptSrcLLAddr(lladdr=lladdr))


rewrites("set-nd", "set_field:fd00::77->nd_target,set_field:%s->nd_sll" % C,
         [(solicit("fd00::b", A), solicit("fd00::77", C))],
         match="icmp6,icmp_type=135")

# A UDP checksum that comes out as 0 is sent as 0xffff (RFC 768).
def checksum_of(dport):
    return Ether(raw(udp(dport=dport)))[UDP].chksum


ZERO = (53 + checksum_of(53)) % 0xffff or 0xffff
rewrites("set-udp-checksum-ffff", "mod_tp_dst:%d" % ZERO,
         [(udp(), udp(dport=ZERO, chksum=0xffff))], match="udp")

# Load and move.

rewrites("load-bits", "load:0x5->NXM_OF_IP_SRC[4..7],"
         "load:0x3->NXM_OF_ETH_DST[0..3],load:0x1->NXM_OF_UDP_DST[15]",
         [(udp(), udp(dport=53 | 0x8000,
                      net=ip(src="10.0.0.81", link=eth(
                          dst="02:00:00:00:00:03"))))], match="udp")
rewrites("move-swap",
         "move:NXM_OF_ETH_SRC[]->NXM_NX_XXREG0[0..47],"
         "move:NXM_OF_ETH_DST[]->NXM_OF_ETH_SRC[],"
         "move:NXM_NX_XXREG0[0..47]->NXM_OF_ETH_DST[],"
         "move:NXM_OF_IP_SRC[]->NXM_NX_REG5[],"
         "move:NXM_OF_IP_DST[]->NXM_OF_IP_SRC[],"
         "move:NXM_NX_REG5[]->NXM_OF_IP_DST[]",
         [(p(), p(net=ip(src="10.0.0.2", dst="10.0.0.1",
                         link=eth(src=B, dst=A)))) for p in (udp, tcp)],
         match="ip")
rewrites("move-bits",
         "move:NXM_OF_IP_SRC[0..7]->NXM_OF_IP_DST[8..15],"
         "move:NXM_OF_UDP_SRC[0..3]->NXM_OF_UDP_DST[4..7]",
         [(udp(sport=0x3e8, dport=0x35),
           udp(sport=0x3e8, dport=0x85, net=ip(dst="10.0.1.2")))],
         match="udp")

# VLANs.

def tag(packet, *tags):
    """PACKET with TAGS, (kind, vid, prio), outermost first."""
    link, net = packet.copy(), packet.payload
    link.remove_payload()
    for kind, vid, prio in tags:
        link = link / kind(vlan=vid, prio=prio)
    if "type" in link.fields:
        del link.fields["type"]
    return link / net


rewrites("push-vlan", "push_vlan:0x8100,set_field:4196->vlan_vid",
         [(p, tag(p, (Dot1Q, 100, 0))) for p in (udp(), arp(), icmp6())])
# As in Open vSwitch, a new tag starts with priority 0.
rewrites("push-vlan-service", "push_vlan:0x88a8,set_field:4296->vlan_vid",
         [(tag(udp(), (Dot1Q, 100, 3)),
           tag(udp(), (Dot1AD, 200, 0), (Dot1Q, 100, 3)))],
         config="set Open_vSwitch . other_config:vlan-limit=2\n")
rewrites("pop-vlan", "pop_vlan",
         [(tag(udp(), (Dot1Q, 100, 5)), udp()),
          (tag(arp(), (Dot1Q, 1, 0)), arp()), (udp(), udp())])
rewrites("pop-vlan-outer", "pop_vlan",
         [(tag(udp(), (Dot1AD, 200, 1), (Dot1Q, 100, 3)),
           tag(udp(), (Dot1Q, 100, 3)))],
         config="set Open_vSwitch . other_config:vlan-limit=2\n",
         match="vlan_tci=0x1000/0x1000")
rewrites("mod-vlan-vid", "mod_vlan_vid:7",
         [(tag(udp(), (Dot1Q, 100, 5)), tag(udp(), (Dot1Q, 7, 5))),
          (udp(), tag(udp(), (Dot1Q, 7, 0)))])
rewrites("mod-vlan-pcp", "mod_vlan_pcp:6",
         [(tag(udp(), (Dot1Q, 100, 5)), tag(udp(), (Dot1Q, 100, 6))),
          (udp(), tag(udp(), (Dot1Q, 0, 6)))])
case("vlan-to-port", """
    dl_vlan=100 actions=strip_vlan,output:2
    dl_vlan=200 actions=set_field:4397->vlan_vid,output:3
    """, [(1, tag(udp(), (Dot1Q, 100, 0))), (1, tag(tcp(), (Dot1Q, 200, 4))),
          (1, udp())],
     {2: [(0, udp())], 3: [(1, tag(tcp(), (Dot1Q, 301, 4)))]})

# TTL.

case("dec-ttl", "ip actions=dec_ttl,output:2\nipv6 actions=dec_ttl,output:2",
     [(1, udp(net=ip(ttl=64))), (1, udp(net=ip(ttl=1))),
      (1, udp(net=ip(ttl=2))), (1, udp(net=ip(ttl=0))),
      (1, udp6(net=ip6(hlim=64))), (1, udp6(net=ip6(hlim=1)))],
     {2: [(0, udp(net=ip(ttl=63))), (2, udp(net=ip(ttl=1))),
          (4, udp6(net=ip6(hlim=63)))]},
     lines=["ttl"])
case("dec-ttl-twice", "ip actions=dec_ttl,output:2,dec_ttl,output:3",
     [(1, udp(net=ip(ttl=2))), (1, udp(net=ip(ttl=9)))],
     {2: [(0, udp(net=ip(ttl=1))), (1, udp(net=ip(ttl=8)))],
      3: [(1, udp(net=ip(ttl=7)))]})

# Tables.

case("goto-table", """
    table=0,udp actions=mod_dl_dst:%s,goto_table:3
    table=0,tcp actions=output:2,goto_table:3
    table=3,udp,dl_dst=%s actions=goto_table:200
    table=3,tcp actions=output:3
    table=200 actions=output:4
    """ % (C, C),
     [(1, udp()), (1, tcp()), (1, arp())],
     {2: [1], 3: [1], 4: [(0, changed(udp(), Ether_dst=C))]},
     ports=(1, 2, 3, 4))
case("resubmit-returns", """
    table=0,udp actions=resubmit(,1),output:3
    table=0,tcp actions=resubmit(,2),output:3
    table=1 actions=mod_nw_dst:10.0.0.9,output:2
    """, [(1, udp()), (1, tcp())],
     {2: [(0, changed(udp(), IP_dst="10.0.0.9"))],
      3: [(0, changed(udp(), IP_dst="10.0.0.9")), 1]})
# The other input port is for the lookup only, not for the actions found.
case("resubmit-in-port", """
    table=0,in_port=1 actions=resubmit(9,1),output:2
    table=1,in_port=9 actions=output:3,resubmit(,2)
    table=1,in_port=1 actions=output:4
    table=2,in_port=9 actions=output:4
    """, [(1, udp())], {2: [0], 3: [0]}, ports=(1, 2, 3, 4))
# 64 levels of resubmit to the same table, then the packet is dropped with
# all its outputs.
case("resubmit-depth", """
    table=0,udp actions=output:2,resubmit(,0)
    table=0,tcp actions=output:2
    """, [(1, udp()), (1, tcp())], {2: [1]}, lines=["resubmit_depth"])
case("resubmit-forward", "\n".join(
    "table=%d actions=resubmit(,%d)" % (i, i + 1) for i in range(200))
     + "\ntable=200 actions=output:2", [(1, udp())], {2: [0]})
case("write-actions", """
    table=0 actions=write_actions(mod_dl_dst:%s,output:2),goto_table:1
    table=1,udp actions=output:4,write_actions(output:3)
    table=1,tcp actions=clear_actions
    table=1,arp actions=clear_actions,write_actions(output:3)
    """ % C,
     [(1, udp()), (1, tcp()), (1, arp()), (1, icmp6())],
     # A packet that matches nothing in table 1 keeps its set, as in OVS.
     {2: [(3, changed(icmp6(), Ether_dst=C))],
      3: [(0, changed(udp(), Ether_dst=C)), 2], 4: [0]},
     ports=(1, 2, 3, 4))
# The set runs in its own order, whatever the order of writing: pop, push,
# dec_ttl, set_field, output.
case("write-actions-order", """
    table=0,ip actions=write_actions(output:2,push_vlan:0x8100,set_field:4296->vlan_vid,dec_ttl)
    """, [(1, udp())],
     {2: [(0, tag(udp(net=ip(ttl=63)), (Dot1Q, 200, 0)))]})
case("table-miss-drop", "table=0,udp actions=output:2",
     [(1, udp()), (1, tcp())], {2: [0]}, lines=["table_miss"])
case("table-miss-continue", """
    table=0,udp actions=output:2
    table=1,tcp actions=output:3
    """, [(1, udp()), (1, tcp()), (1, arp())], {2: [0], 3: [1]},
     options=["--table-miss=0:continue"])
case("table-miss-controller", "table=0,udp actions=output:2",
     [(1, udp()), (1, tcp())], {2: [0], "controller": [1]},
     options=["--table-miss=0:controller"], lines=["packet-ins: 1"])
case("flow-mods", """
    udp,tp_dst=53 actions=output:2
    udp,tp_dst=54 actions=output:2
    tcp actions=output:2
    arp actions=output:2
    modify udp actions=output:3
    delete tcp
    modify_strict udp,tp_dst=54 actions=drop
    delete_strict priority=1,arp
    """, [(1, udp()), (1, udp(dport=54)), (1, tcp()), (1, arp())],
     {3: [0], 2: [3]})
