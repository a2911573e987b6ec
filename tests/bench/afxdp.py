#!/usr/bin/python3
# SPDX-License-Identifier: Apache-2.0
"""Ports on veths, AF_XDP's and Linux's, beside Open vSwitch's: packets of 64
bytes that come out of the other port, a second of the polling thread's CPU
time, while the input never ends."""

import os
import sys

sys.dont_write_bytecode = True
sys.path.insert(0, os.path.join(os.path.dirname(os.path.abspath(__file__)),
                                "switch"))

import peers            # noqa: E402
import veths            # noqa: E402

UNIT = "%.3f Mpps"


def flood(side, kind):
    def measure():
        # Only one at a time has ports: who polls does not yield a core.
        side.connect(kind)
        try:
            side.flood(0.1)
            return side.flood(veths.SECS) / 1e6
        finally:
            side.disconnect()
    return measure


def main():
    veths.enter()
    work = os.environ["TMPDIR"]
    bvs = veths.Side(peers.BVS, work, "bvs", 1)
    ovs = veths.Side(peers.OVS, work, "ovs", 2)
    try:
        veths.fact("peer", veths.version(ovs.switch))
        rates = veths.alternate([flood(bvs, "afxdp"), flood(ovs, "afxdp"),
                                 flood(bvs, "system"), flood(ovs, "system")])
    finally:
        bvs.end()
        ovs.end()
    afxdp, ovs_afxdp, linux, ovs_linux = rates
    veths.row("AF_XDP: netdev-afxdp", afxdp, ovs_afxdp, ">=1.3", UNIT)
    veths.row("AF_XDP: netdev-linux", afxdp, ovs_linux, ">=3", UNIT)
    veths.row("Linux: netdev-linux", linux, ovs_linux, ">=1", UNIT)
    veths.fact("rounds", "%d of %.1f s each" % (veths.ROUNDS, veths.SECS))
    return 0


if __name__ == "__main__":
    sys.exit(main())
