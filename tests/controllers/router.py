#!/usr/bin/python3
# SPDX-License-Identifier: Apache-2.0
"""A small router on os_ken.

usage: router.py [--port PORT] [--version 1.0|1.3|1.5] --ports PORT=ADDRESS...

--ports: "1=10.1.0.254/24,2=10.2.0.254/24".  Each of these ports of the switch
is an interface of the router: it answers ARP and ICMP echo requests for its
address, asks by ARP for those it does not know, and gives each destination a
flow that writes the Ethernet addresses and (but OpenFlow 1.0 cannot) takes 1
off the TTL.  A packet whose TTL is used up is answered by "time exceeded".
It writes the lines of base.App and

    arp DPID ADDRESS MAC        an address was learned
    route DPID ADDRESS PORT     a flow was added
    exceeded DPID SOURCE        the TTL was used up
"""

import ipaddress

from os_ken.controller import ofp_event
from os_ken.controller.handler import MAIN_DISPATCHER, set_ev_cls
from os_ken.lib.mac import haddr_to_bin
from os_ken.lib.packet import arp, ethernet, icmp, ipv4, packet
from os_ken.ofproto import ether, inet

import base
from base import VERSION, say

MAC = "02:00:00:00:fe:%02x"


class Router(base.App):

    def __init__(self, *args, **kwargs):
        super().__init__(*args, **kwargs)
        self.interfaces = {}        # Port -> ipaddress.IPv4Interface.
        for entry in base.option("ports").split(","):
            number, address = entry.split("=")
            self.interfaces[int(number)] = ipaddress.ip_interface(address)
        self.neighbors = {}         # (dpid, IP address) -> MAC address
        self.waiting = {}           # The same -> packets

    def connected(self, datapath):
        """Asks for packets whose TTL dec_ttl finds used up, too."""
        ofp, parser = datapath.ofproto, datapath.ofproto_parser
        if VERSION == "1.3":
            reasons = (1 << ofp.OFPR_NO_MATCH | 1 << ofp.OFPR_ACTION
                       | 1 << ofp.OFPR_INVALID_TTL)
            datapath.send_msg(parser.OFPSetAsync(datapath, [reasons, 0],
                                                 [0, 0], [0, 0]))
        elif VERSION == "1.5":
            reasons = (1 << ofp.OFPR_TABLE_MISS | 1 << ofp.OFPR_APPLY_ACTION
                       | 1 << ofp.OFPR_INVALID_TTL)
            datapath.send_msg(parser.OFPSetAsync(datapath, [
                parser.OFPAsyncConfigPropReasons(
                    ofp.OFPACPT_PACKET_IN_MASTER, mask=reasons)]))

    # Sending.

    def output(self, datapath, number, *protocols):
        out = packet.Packet()
        for protocol in protocols:
            out.add_protocol(protocol)
        out.serialize()
        self.send(datapath, datapath.ofproto.OFPP_CONTROLLER,
                  [datapath.ofproto_parser.OFPActionOutput(number)], out.data)

    def output_arp(self, datapath, number, opcode, mac, ip):
        own = MAC % number
        self.output(
            datapath, number,
            ethernet.ethernet(dst=mac, src=own, ethertype=ether.ETH_TYPE_ARP),
            arp.arp(opcode=opcode, src_mac=own, dst_mac=mac, dst_ip=ip,
                    src_ip=str(self.interfaces[number].ip)))

    def answer_icmp(self, datapath, number, eth, ip, message):
        self.output(
            datapath, number,
            ethernet.ethernet(dst=eth.src, src=MAC % number,
                              ethertype=ether.ETH_TYPE_IP),
            ipv4.ipv4(src=str(self.interfaces[number].ip), dst=ip.src,
                      proto=inet.IPPROTO_ICMP, ttl=64), message)

    # Routing.

    def next_hop(self, address):
        for number, interface in self.interfaces.items():
            if ipaddress.ip_address(address) in interface.network:
                return number
        return None

    def rewrite(self, datapath, number, mac):
        parser = datapath.ofproto_parser
        own = MAC % number
        if VERSION == "1.0":
            actions = [parser.OFPActionSetDlSrc(haddr_to_bin(own)),
                       parser.OFPActionSetDlDst(haddr_to_bin(mac))]
        else:
            # The TTL first: the controller needs the packet as it came.
            actions = [parser.OFPActionDecNwTtl(),
                       parser.OFPActionSetField(eth_src=own),
                       parser.OFPActionSetField(eth_dst=mac)]
        return actions + [parser.OFPActionOutput(number)]

    def learn(self, datapath, number, mac, address):
        key = (datapath.id, address)
        if self.neighbors.get(key) == mac:
            return
        self.neighbors[key] = mac
        say("arp", datapath.id, address, mac)
        match = datapath.ofproto_parser.OFPMatch
        if VERSION == "1.0":
            match = match(dl_type=ether.ETH_TYPE_IP,
                          nw_dst=int(ipaddress.ip_address(address)))
        else:
            match = match(eth_type=ether.ETH_TYPE_IP, ipv4_dst=address)
        actions = self.rewrite(datapath, number, mac)
        self.add_flow(datapath, 10, match, actions)
        say("route", datapath.id, address, number)
        for in_port, data in self.waiting.pop(key, []):
            self.send(datapath, in_port, actions, data)

    # Packets.

    def receive_arp(self, datapath, number, message):
        self.learn(datapath, number, message.src_mac, message.src_ip)
        if (message.opcode == arp.ARP_REQUEST
                and message.dst_ip == str(self.interfaces[number].ip)):
            self.output_arp(datapath, number, arp.ARP_REPLY, message.src_mac,
                            message.src_ip)

    def receive_ip(self, datapath, number, eth, ip, data, echo):
        if ip.dst == str(self.interfaces[number].ip):
            if echo and echo.type == icmp.ICMP_ECHO_REQUEST:
                self.answer_icmp(datapath, number, eth, ip,
                                 icmp.icmp(icmp.ICMP_ECHO_REPLY, 0, 0,
                                           echo.data))
            return
        if ip.ttl <= 1:
            say("exceeded", datapath.id, ip.src)
            self.answer_icmp(datapath, number, eth, ip, icmp.icmp(
                icmp.ICMP_TIME_EXCEEDED, icmp.ICMP_TTL_EXPIRED_CODE, 0,
                icmp.TimeExceeded(data=data[14:14 + 28])))
            return
        out = self.next_hop(ip.dst)
        if out:
            self.waiting.setdefault((datapath.id, ip.dst), []).append(
                (number, data))
            self.output_arp(datapath, out, arp.ARP_REQUEST,
                            "ff:ff:ff:ff:ff:ff", ip.dst)

    @set_ev_cls(ofp_event.EventOFPPacketIn, MAIN_DISPATCHER)
    def packet_in(self, event):
        msg = event.msg
        number = self.in_port(msg)
        if number not in self.interfaces:
            return
        p = packet.Packet(msg.data)
        if p.get_protocol(arp.arp):
            self.receive_arp(msg.datapath, number, p.get_protocol(arp.arp))
        elif p.get_protocol(ipv4.ipv4):
            self.receive_ip(msg.datapath, number,
                            p.get_protocol(ethernet.ethernet),
                            p.get_protocol(ipv4.ipv4), msg.data,
                            p.get_protocol(icmp.icmp))


if __name__ == "__main__":
    base.run(__file__, "Router", [("ports", "")])
