#!/usr/bin/python3
# SPDX-License-Identifier: Apache-2.0
"""A monitoring application on os_ken: asks each switch for its counters, five
times a second, and hears of its ports.

usage: monitor.py [--port PORT] [--version 1.0|1.3|1.5]

It writes the lines of base.App and, whenever one says something new,

    desc DPID MANUFACTURER
    ports DPID NUMBER RX-PACKETS TX-PACKETS     of a port
    flow DPID PRIORITY PACKETS BYTES
    table DPID NUMBER FLOWS                     of a table that has flows
    aggregate DPID PACKETS BYTES FLOWS          but OpenFlow 1.5 has it as
                                                flow statistics
    port-status DPID NUMBER DOWN                its link is down, or not
"""

from os_ken.controller import ofp_event
from os_ken.controller.handler import MAIN_DISPATCHER, set_ev_cls
from os_ken.lib import hub

import base
from base import VERSION, say


class Monitor(base.App):

    def __init__(self, *args, **kwargs):
        super().__init__(*args, **kwargs)
        self.said = set()

    def say(self, *what):
        if what not in self.said:
            self.said.add(what)
            say(*what)

    def connected(self, datapath):
        hub.spawn(self.ask, datapath)

    @staticmethod
    def requests(datapath):
        ofp, parser = datapath.ofproto, datapath.ofproto_parser
        yield parser.OFPDescStatsRequest(datapath, 0)
        if VERSION == "1.0":
            every = parser.OFPMatch()
            yield parser.OFPPortStatsRequest(datapath, 0, ofp.OFPP_NONE)
            yield parser.OFPFlowStatsRequest(datapath, 0, every, 0xff,
                                             ofp.OFPP_NONE)
            yield parser.OFPAggregateStatsRequest(datapath, 0, every, 0xff,
                                                  ofp.OFPP_NONE)
        else:
            yield parser.OFPPortStatsRequest(datapath, 0, ofp.OFPP_ANY)
            if VERSION == "1.5":
                yield parser.OFPFlowDescStatsRequest(datapath)
            else:
                yield parser.OFPFlowStatsRequest(datapath)
                yield parser.OFPAggregateStatsRequest(
                    datapath, 0, ofp.OFPTT_ALL, ofp.OFPP_ANY, ofp.OFPG_ANY, 0,
                    0, parser.OFPMatch())
        yield parser.OFPTableStatsRequest(datapath, 0)

    def ask(self, datapath):
        while datapath.is_active:
            for request in self.requests(datapath):
                datapath.send_msg(request)
            hub.sleep(0.2)          # A pace for asking.

    @set_ev_cls(ofp_event.EventOFPDescStatsReply, MAIN_DISPATCHER)
    def desc(self, event):
        maker = event.msg.body.mfr_desc
        self.say("desc", event.msg.datapath.id,
                 maker.decode() if isinstance(maker, bytes) else maker)

    @set_ev_cls(ofp_event.EventOFPPortStatsReply, MAIN_DISPATCHER)
    def ports(self, event):
        for port in event.msg.body:
            self.say("ports", event.msg.datapath.id, port.port_no,
                     port.rx_packets, port.tx_packets)

    def flow(self, event):
        for flow in event.msg.body:
            if VERSION == "1.5":
                counts = (flow.stats["packet_count"],
                          flow.stats["byte_count"])
            else:
                counts = flow.packet_count, flow.byte_count
            self.say("flow", event.msg.datapath.id, flow.priority, *counts)

    if VERSION == "1.5":
        flow = set_ev_cls(ofp_event.EventOFPFlowDescStatsReply,
                          MAIN_DISPATCHER)(flow)
    else:
        flow = set_ev_cls(ofp_event.EventOFPFlowStatsReply,
                          MAIN_DISPATCHER)(flow)

        @set_ev_cls(ofp_event.EventOFPAggregateStatsReply, MAIN_DISPATCHER)
        def aggregate(self, event):
            body = event.msg.body
            for one in body if isinstance(body, list) else [body]:
                self.say("aggregate", event.msg.datapath.id,
                         one.packet_count, one.byte_count, one.flow_count)

    @set_ev_cls(ofp_event.EventOFPTableStatsReply, MAIN_DISPATCHER)
    def tables(self, event):
        for table in event.msg.body:
            if table.active_count:
                self.say("table", event.msg.datapath.id, table.table_id,
                         table.active_count)

    @set_ev_cls(ofp_event.EventOFPPortStatus, MAIN_DISPATCHER)
    def port_status(self, event):
        port = event.msg.desc
        say("port-status", event.msg.datapath.id, port.port_no,
            bool(port.state & 1))


if __name__ == "__main__":
    base.run(__file__, "Monitor")
