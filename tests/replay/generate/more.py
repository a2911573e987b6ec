# SPDX-License-Identifier: Apache-2.0
"""Cases about groups, meters and the rest of the actions."""

from scapy.contrib.mpls import MPLS
from scapy.contrib.nsh import NSH

from kit import *

FOUR = (1, 2, 3, 4)


# Groups.
case("group-all", """
    udp actions=set_field:02:00:00:00:00:0c->eth_dst,group:1,output:4
    """, [(1, udp())],
     {2: [(0, changed(udp(), Ether_dst=C, IP_dst="1.1.1.1"))],
      3: [(0, changed(udp(), Ether_dst=C))],
      4: [(0, changed(udp(), Ether_dst=C))]}, ports=FOUR, stock=False,
     groups="""
    group_id=1,type=all,bucket=actions=set_field:1.1.1.1->ip_dst,output:2,bucket=actions=output:3
    """)
case("group-chained", """
    udp actions=group:1,output:4
    tcp actions=write_actions(group:1,output:4)
    """, [(1, udp()), (1, tcp())],
     {2: [(0, changed(udp(), IP_dst="1.1.1.1")),
          (1, changed(tcp(), IP_dst="1.1.1.1"))],
      3: [(0, changed(udp(), IP_dst="1.1.1.1", IP_ttl=63)),
          (1, changed(tcp(), IP_dst="1.1.1.1", IP_ttl=63))], 4: [0]},
     ports=FOUR, stock=False, groups="""
    group_id=3,type=indirect,bucket=actions=dec_ttl,output:3
    group_id=2,type=all,bucket=actions=output:2,bucket=actions=group:3
    group_id=1,type=indirect,bucket=actions=set_field:1.1.1.1->ip_dst,group:2
    """)
case("group-failover", "udp actions=group:1\ntcp actions=group:2",
     [(1, udp()), (1, tcp())], {3: [0]}, stock=False, ports=FOUR,
     lines=["no_bucket"], groups="""
    group_id=1,type=ff,bucket=watch_port:77,actions=output:2,bucket=watch_port:3,actions=output:3,bucket=watch_port:4,actions=output:4
    group_id=2,type=ff,bucket=watch_port:77,actions=output:2
    """)
case("group-select", "udp actions=group:1", [(1, udp())], {3: [0]},
     stock=False, groups="""
    # The first and the last are not live.
    group_id=1,type=select,selection_method=dp_hash,bucket=bucket_id:1,watch_port:77,actions=output:2,bucket=bucket_id:2,weight:1,actions=output:1
    insert_bucket group_id=1,command_bucket_id=last,bucket=bucket_id:9,weight:1,actions=output:3
    remove_bucket group_id=1,command_bucket_id=2
    """)
case("group-resubmit", """
    table=0,udp actions=group:1,output:3
    table=5,udp actions=set_field:5.5.5.5->ip_dst,output:2
    """, [(1, udp())],
     {2: [(0, changed(udp(), IP_dst="5.5.5.5"))], 3: [0]}, stock=False,
     groups="group_id=1,type=all,bucket=actions=resubmit(,5)")

# Meters: time stands still but for the gaps between packets.
case("meter-burst", "udp actions=meter:1,output:2",
     [(1, udp()), (1, udp()), (1, udp()), (1, at(2, udp()))],
     {2: [0, 1, 3]}, stock=False, lines=["meter"],
     meters="meter=1,pktps,burst,stats,bands=type=drop,rate=1,burst_size=2")
case("meter-remark", "udp actions=meter:1,output:2",
     [(1, udp(net=ip(tos=0x28))), (1, udp(net=ip(tos=0x28)))],
     {2: [0, (1, udp(net=ip(tos=0x30)))]}, stock=False,
     meters="meter=1,pktps,burst,"
            "bands=type=dscp_remark,rate=1,burst_size=1,prec_level=1")

# MPLS and NSH.
case("push-mpls", "udp actions=push_mpls:0x8847,set_field:77->mpls_label,"
     "output:2", [(1, udp())],
     {2: [(0, eth(type=0x8847) / MPLS(label=77, s=1, ttl=64)
           / udp()[IP])]}, stock=False)
case("pop-mpls", "mpls actions=pop_mpls:0x0800,output:2",
     [(1, eth(type=0x8847) / MPLS(label=77, s=1, ttl=64) / udp()[IP])],
     {2: [(0, udp())]}, stock=False)
case("mpls-ttl", """
    mpls,mpls_label=77 actions=dec_mpls_ttl,output:2
    mpls,mpls_label=78 actions=set_mpls_ttl(9),output:2
    """, [(1, eth(type=0x8847) / MPLS(label=77, s=1, ttl=64) / udp()[IP]),
          (1, eth(type=0x8847) / MPLS(label=78, s=1, ttl=64) / udp()[IP])],
     {2: [(0, eth(type=0x8847) / MPLS(label=77, s=1, ttl=63) / udp()[IP]),
          (1, eth(type=0x8847) / MPLS(label=78, s=1, ttl=9) / udp()[IP])]},
     stock=False)
case("encap-nsh", """
    udp actions=encap(nsh(md_type=1)),set_field:0x1234->nsh_spi,set_field:9->nsh_si,encap(ethernet),set_field:02:00:00:00:00:0b->eth_dst,set_field:02:00:00:00:00:0a->eth_src,output:2
    """, [(1, udp())],
     {2: [(0, eth(type=0x894f) / NSH(mdtype=1, nextproto=3, length=6, ttl=63,
                                     spi=0x1234, si=9) / udp())]},
     stock=False)
case("decap-nsh", "dl_type=0x894f actions=decap(),decap(),output:2",
     [(1, eth(type=0x894f) / NSH(mdtype=1, nextproto=3, length=6, ttl=63,
                                 spi=0x1234, si=9) / tcp())],
     {2: [(0, tcp())]}, stock=False)

# The rest.
case("learn", """
    table=0 actions=learn(table=1,eth_dst=eth_src,output:in_port),resubmit(,1)
    table=1,priority=0 actions=flood
    """, [(1, udp(net=ip(link=eth(A, B)))), (2, udp(net=ip(link=eth(B, A))))],
     {1: [1], 2: [0], 3: [0]}, stock=False)
case("conjunction", """
    ip_src=10.0.0.1,ip actions=conjunction(7,1/2)
    ip_src=10.0.0.9,ip actions=conjunction(7,1/2)
    udp,udp_dst=53 actions=conjunction(7,2/2)
    tcp,tcp_dst=80 actions=conjunction(7,2/2)
    conj_id=7,ip actions=output:2
    priority=0 actions=output:3
    """, [(1, udp()), (1, tcp()), (1, udp(dport=54)),
          (1, udp(net=ip(src="10.0.0.3")))],
     {2: [0, 1], 3: [2, 3]}, stock=False)
case("stack", """
    udp actions=push:ip_src[],push:ip_dst[],pop:ip_src[],pop:ip_dst[],output:2
    """, [(1, udp())],
     {2: [(0, changed(udp(), IP_src="10.0.0.2", IP_dst="10.0.0.1"))]},
     stock=False)
case("clone", "udp actions=clone(set_field:9.9.9.9->ip_dst,output:2),output:3",
     [(1, udp())], {2: [(0, changed(udp(), IP_dst="9.9.9.9"))], 3: [0]},
     stock=False)
case("exit", "udp actions=output:2,exit,output:3", [(1, udp())], {2: [0]},
     stock=False)
case("note", "udp actions=note:12.34.56,output:2", [(1, udp())], {2: [0]},
     stock=False)
case("output-max-len", "udp actions=output(port=2,max_len=30),output:3",
     [(1, udp())], {2: [(0, raw(udp())[:30])], 3: [0]}, stock=False)
case("check-pkt-larger", """
    table=0 actions=check_pkt_larger(60)->reg0[0],resubmit(,1)
    table=1,reg0=1/1 actions=output:3
    table=1,reg0=0/1 actions=output:2
    """, [(1, udp()), (1, udp(load=b"x" * 100))], {2: [0], 3: [1]},
     stock=False)
case("queues", """
    udp actions=set_queue:3,output:2,pop_queue,output:3
    tcp actions=enqueue:2:5
    """, [(1, udp()), (1, tcp())], {2: [0, 1], 3: [0]}, stock=False)
case("bundle", """
    udp actions=bundle(eth_src,0,active_backup,ofport,members:77,3,2)
    tcp actions=bundle_load(eth_src,0,active_backup,ofport,reg0[0..15],members:77,2,3),output:reg0[0..15]
    """, [(1, udp()), (1, tcp())], {2: [1], 3: [0]}, stock=False)
case("multipath", """
    udp actions=multipath(eth_src,0,modulo_n,1,0,reg0[0..3]),load:2->reg0[4..15],move:reg0[4..15]->reg1[0..11],output:reg1[0..15]
    """, [(1, udp())], {2: [0]}, stock=False)
case("fin-timeout", """
    tcp,idle_timeout=1000 actions=fin_timeout(hard_timeout=2),output:2
    """, [(1, tcp()), (1, tcp(flags="FA")), (1, at(9, tcp()))],
     {2: [0, 1]}, stock=False)
