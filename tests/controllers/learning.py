#!/usr/bin/python3
# SPDX-License-Identifier: Apache-2.0
"""An L2-learning controller application on os_ken.

usage: learning.py [--port PORT] [--version 1.0|1.3|1.5] [--idle SECONDS]

Listens on 127.0.0.1 (PORT 6653 by default).  For each switch it learns which
port an address is behind; packets to an address it knows get a flow with the
given idle timeout (10 by default), others are flooded.  It writes one line an
event to standard output, for the test that drives it:

    up DPID             a switch is under control
    packet-in DPID IN-PORT SRC DST REASON
    learned DPID SRC PORT
    flow DPID IN-PORT SRC DST OUT-PORT
    flow-removed DPID SRC DST PACKETS BYTES REASON
    error DPID TYPE CODE
    down DPID
"""

from os_ken.controller import ofp_event
from os_ken.controller.handler import MAIN_DISPATCHER, set_ev_cls
from os_ken.lib.mac import haddr_to_bin, haddr_to_str
from os_ken.lib.packet import ethernet, packet

import base
from base import VERSION, say

LLDP = 0x88cc


class Learning(base.App):

    def __init__(self, *args, **kwargs):
        super().__init__(*args, **kwargs)
        self.ports = {}             # dpid -> {MAC address -> port number}
        self.idle = int(base.option("idle", "10"))

    def connected(self, datapath):
        self.ports[datapath.id] = {}

    @staticmethod
    def l2_match(datapath, in_port, src, dst):
        match = datapath.ofproto_parser.OFPMatch
        if VERSION == "1.0":
            return match(in_port=in_port, dl_src=haddr_to_bin(src),
                         dl_dst=haddr_to_bin(dst))
        return match(in_port=in_port, eth_src=src, eth_dst=dst)

    @set_ev_cls(ofp_event.EventOFPPacketIn, MAIN_DISPATCHER)
    def packet_in(self, event):
        msg = event.msg
        datapath = msg.datapath
        ofp, parser = datapath.ofproto, datapath.ofproto_parser
        in_port = self.in_port(msg)
        eth = packet.Packet(msg.data).get_protocol(ethernet.ethernet)
        if eth.ethertype == LLDP:
            return
        say("packet-in", datapath.id, in_port, eth.src, eth.dst, msg.reason)

        ports = self.ports[datapath.id]
        if ports.get(eth.src) != in_port:
            ports[eth.src] = in_port
            say("learned", datapath.id, eth.src, in_port)
        out_port = ports.get(eth.dst, ofp.OFPP_FLOOD)
        actions = [parser.OFPActionOutput(out_port)]
        if out_port != ofp.OFPP_FLOOD:
            self.add_flow(datapath, 10,
                          self.l2_match(datapath, in_port, eth.src, eth.dst),
                          actions, self.idle)
            say("flow", datapath.id, in_port, eth.src, eth.dst, out_port)
        self.send(datapath, in_port, actions, msg.data)

    @set_ev_cls(ofp_event.EventOFPFlowRemoved, MAIN_DISPATCHER)
    def flow_removed(self, event):
        msg = event.msg
        if VERSION == "1.0":
            src, dst = (haddr_to_str(msg.match.dl_src),
                        haddr_to_str(msg.match.dl_dst))
        else:
            src, dst = msg.match["eth_src"], msg.match["eth_dst"]
        if VERSION == "1.5":
            counts = msg.stats["packet_count"], msg.stats["byte_count"]
        else:
            counts = msg.packet_count, msg.byte_count
        say("flow-removed", msg.datapath.id, src, dst, *counts, msg.reason)


if __name__ == "__main__":
    base.run(__file__, "L2-learning controller", [("idle", "10")])
