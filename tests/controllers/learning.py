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

import argparse
import os
import sys

from os_ken.base import app_manager
from os_ken.controller import ofp_event
from os_ken.controller.handler import (CONFIG_DISPATCHER, DEAD_DISPATCHER,
                                       HANDSHAKE_DISPATCHER, MAIN_DISPATCHER,
                                       set_ev_cls)
from os_ken.lib.mac import haddr_to_bin, haddr_to_str
from os_ken.lib.packet import ethernet, packet
from os_ken.ofproto import (ofproto_v1_0, ofproto_v1_3, ofproto_v1_5)

VERSIONS = {"1.0": ofproto_v1_0, "1.3": ofproto_v1_3, "1.5": ofproto_v1_5}
VERSION = os.environ.get("LEARNING_VERSION", "1.3")
IDLE = int(os.environ.get("LEARNING_IDLE", "10"))
LLDP = 0x88cc


def say(kind, dpid, *rest):
    print(kind, "%016x" % (dpid or 0), *rest, flush=True)


class Learning(app_manager.OSKenApp):
    """One instance serves every switch that connects."""

    OFP_VERSIONS = [VERSIONS[VERSION].OFP_VERSION]

    def __init__(self, *args, **kwargs):
        super().__init__(*args, **kwargs)
        self.ports = {}             # dpid -> {MAC address -> port number}

    @set_ev_cls(ofp_event.EventOFPSwitchFeatures, CONFIG_DISPATCHER)
    def features(self, event):
        datapath = event.msg.datapath
        self.ports[datapath.id] = {}
        if VERSION != "1.0":        # There, a miss goes to the controller.
            ofp, parser = datapath.ofproto, datapath.ofproto_parser
            self.add_flow(datapath, 0, parser.OFPMatch(),
                          [parser.OFPActionOutput(ofp.OFPP_CONTROLLER,
                                                  ofp.OFPCML_NO_BUFFER)])
        say("up", datapath.id)

    @staticmethod
    def add_flow(datapath, priority, match, actions, idle=0):
        ofp, parser = datapath.ofproto, datapath.ofproto_parser
        flags = ofp.OFPFF_SEND_FLOW_REM if idle else 0
        if VERSION == "1.0":
            mod = parser.OFPFlowMod(
                datapath, match, 0, ofp.OFPFC_ADD, idle_timeout=idle,
                priority=priority, flags=flags, actions=actions)
        else:
            apply = parser.OFPInstructionActions(ofp.OFPIT_APPLY_ACTIONS,
                                                 actions)
            mod = parser.OFPFlowMod(
                datapath, match=match, command=ofp.OFPFC_ADD,
                idle_timeout=idle, priority=priority, flags=flags,
                instructions=[apply])
        datapath.send_msg(mod)

    @staticmethod
    def l2_match(datapath, in_port, src, dst):
        match = datapath.ofproto_parser.OFPMatch
        if VERSION == "1.0":
            return match(in_port=in_port, dl_src=haddr_to_bin(src),
                         dl_dst=haddr_to_bin(dst))
        return match(in_port=in_port, eth_src=src, eth_dst=dst)

    @staticmethod
    def send(datapath, in_port, actions, data):
        ofp, parser = datapath.ofproto, datapath.ofproto_parser
        origin = ({"match": parser.OFPMatch(in_port=in_port)}
                  if VERSION == "1.5" else {"in_port": in_port})
        datapath.send_msg(parser.OFPPacketOut(
            datapath=datapath, buffer_id=ofp.OFP_NO_BUFFER, actions=actions,
            data=data, **origin))

    @set_ev_cls(ofp_event.EventOFPPacketIn, MAIN_DISPATCHER)
    def packet_in(self, event):
        msg = event.msg
        datapath = msg.datapath
        ofp, parser = datapath.ofproto, datapath.ofproto_parser
        in_port = msg.in_port if VERSION == "1.0" else msg.match["in_port"]
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
                          actions, IDLE)
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

    @set_ev_cls(ofp_event.EventOFPErrorMsg,
                [HANDSHAKE_DISPATCHER, CONFIG_DISPATCHER, MAIN_DISPATCHER])
    def error(self, event):
        say("error", event.msg.datapath.id, event.msg.type, event.msg.code)

    @set_ev_cls(ofp_event.EventOFPStateChange, DEAD_DISPATCHER)
    def down(self, event):
        say("down", event.datapath.id)


def main():
    parser = argparse.ArgumentParser(description="L2-learning controller")
    parser.add_argument("--port", default="6653")
    parser.add_argument("--version", default="1.3", choices=sorted(VERSIONS))
    parser.add_argument("--idle", default="10")
    args = parser.parse_args()
    os.environ["LEARNING_VERSION"] = args.version
    os.environ["LEARNING_IDLE"] = args.idle

    from os_ken.cmd import manager
    sys.exit(manager.main(args=["--ofp-listen-host", "127.0.0.1",
                                "--ofp-tcp-listen-port", args.port,
                                os.path.abspath(__file__)]))


if __name__ == "__main__":
    main()
