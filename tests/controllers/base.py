# SPDX-License-Identifier: Apache-2.0
"""What the controller applications here share: one class over OpenFlow 1.0,
1.3 and 1.5, and their command line.

An application is a file with a subclass of App, which ends with

    if __name__ == "__main__":
        base.run(__file__, "WHAT IT IS")

Options reach the class through the environment: os_ken loads the file a
second time, and the version must be known when this one is loaded.
"""

import argparse
import os
import sys

from os_ken.base import app_manager
from os_ken.controller import ofp_event
from os_ken.controller.handler import (CONFIG_DISPATCHER, DEAD_DISPATCHER,
                                       HANDSHAKE_DISPATCHER, MAIN_DISPATCHER,
                                       set_ev_cls)
from os_ken.ofproto import ofproto_v1_0, ofproto_v1_3, ofproto_v1_5

VERSIONS = {"1.0": ofproto_v1_0, "1.3": ofproto_v1_3, "1.5": ofproto_v1_5}
VERSION = os.environ.get("APP_VERSION", "1.3")


def option(name, default=""):
    """An option that run() was given."""
    return os.environ.get("APP_" + name.upper(), default)


def say(kind, dpid, *rest):
    print(kind, "%016x" % (dpid or 0), *rest, flush=True)


class App(app_manager.OSKenApp):
    """One instance serves every switch that connects."""

    OFP_VERSIONS = [VERSIONS[VERSION].OFP_VERSION]

    def connected(self, datapath):
        """To be overridden: a switch is there."""

    @set_ev_cls(ofp_event.EventOFPSwitchFeatures, CONFIG_DISPATCHER)
    def features(self, event):
        datapath = event.msg.datapath
        if VERSION != "1.0":        # There, a miss goes to the controller.
            ofp, parser = datapath.ofproto, datapath.ofproto_parser
            self.add_flow(datapath, 0, parser.OFPMatch(),
                          [parser.OFPActionOutput(ofp.OFPP_CONTROLLER,
                                                  ofp.OFPCML_NO_BUFFER)])
        self.connected(datapath)
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
    def send(datapath, in_port, actions, data):
        ofp, parser = datapath.ofproto, datapath.ofproto_parser
        origin = ({"match": parser.OFPMatch(in_port=in_port)}
                  if VERSION == "1.5" else {"in_port": in_port})
        datapath.send_msg(parser.OFPPacketOut(
            datapath=datapath, buffer_id=ofp.OFP_NO_BUFFER, actions=actions,
            data=data, **origin))

    @staticmethod
    def in_port(msg):
        return msg.in_port if VERSION == "1.0" else msg.match["in_port"]

    @set_ev_cls(ofp_event.EventOFPErrorMsg,
                [HANDSHAKE_DISPATCHER, CONFIG_DISPATCHER, MAIN_DISPATCHER])
    def error(self, event):
        say("error", event.msg.datapath.id, event.msg.type, event.msg.code)

    @set_ev_cls(ofp_event.EventOFPStateChange, DEAD_DISPATCHER)
    def down(self, event):
        say("down", event.datapath.id)


def run(path, what, more=()):
    """Runs the application in file 'path'; 'more': further options, pairs of
    a name and a default."""
    parser = argparse.ArgumentParser(description=what)
    parser.add_argument("--port", default="6653")
    parser.add_argument("--version", default="1.3", choices=sorted(VERSIONS))
    for name, default in more:
        parser.add_argument("--" + name, default=default)
    args = parser.parse_args()
    if "APP_VERSION" not in os.environ:
        for name in ["version"] + [name for name, _ in more]:
            os.environ["APP_" + name.upper()] = getattr(args, name)
        os.execv(sys.executable, [sys.executable] + sys.argv)

    from os_ken.cmd import manager
    sys.exit(manager.main(args=["--ofp-listen-host", "127.0.0.1",
                                "--ofp-tcp-listen-port", args.port,
                                os.path.abspath(path)]))
