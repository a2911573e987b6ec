#!/usr/bin/python3
# SPDX-License-Identifier: Apache-2.0
"""How long a packet takes through a switch between two veths, at half of what
Open vSwitch can carry there, from before its send() to after its recv()."""

import os
import re
import sys

sys.dont_write_bytecode = True
sys.path.insert(0, os.path.join(os.path.dirname(os.path.abspath(__file__)),
                                "switch"))

import peers            # noqa: E402
import veths            # noqa: E402

NAMES = (("p50", "<=1"), ("p99", "<=1"), ("p99.9", "-"))


def half_load(side, kind):
    """Packets a second."""
    side.connect(kind)
    try:
        rates = [float(side.tool("blast", str(veths.SECS)))
                 for _ in range(3)]
    finally:
        side.disconnect()
    return max(rates) / 2


def latency(side, kind, pps):
    def measure():
        side.connect(kind)
        try:
            text = side.tool("latency", "%.0f" % pps, str(veths.SECS))
        finally:
            side.disconnect()
        match = re.match(r"lost (\d+), us (\S+) (\S+) (\S+)", text)
        if not match:
            raise peers.Broken("%s: %s" % (side.label, text))
        return [float(x) for x in match.groups()]
    return measure


def compare(name, kind, sides):
    """Rows of BVS[, ...] against Open vSwitch, the last of SIDES."""
    ovs = sides[-1]
    pps = half_load(ovs, kind)
    results = veths.alternate([latency(side, kind, pps) for side in sides])
    veths.fact(name, "%.0f kpps; lost of %d rounds: %s" % (
        pps / 1e3, veths.ROUNDS, ", ".join(
            "%s %d" % (side.label, sum(x[0] for x in result))
            for side, result in zip(sides, results))))
    for side, result in zip(sides[:-1], results):
        for i, (what, gate) in enumerate(NAMES, 1):
            veths.row("%s%s, %s" % (name, side.note, what),
                      [x[i] for x in result], [x[i] for x in results[-1]],
                      gate, "%.1f us")


def main():
    veths.enter()
    work = os.environ["TMPDIR"]
    sides = []
    try:
        for name, label, mode, note in (
                (peers.BVS, "bvs", "adaptive", ""),
                (peers.BVS, "polls", "poll", ", worker-mode=poll"),
                (peers.OVS, "ovs", "poll", "")):
            sides.append(veths.Side(name, work, label, len(sides) + 1,
                                    ["other_config:worker-mode=" + mode]))
            sides[-1].note = note
        bvs, polls, ovs = sides
        veths.fact("peer", veths.version(ovs.switch))
        # Open vSwitch's main thread sleeps, too; its AF_XDP threads poll.
        compare("Linux: netdev-linux", "system", [bvs, ovs])
        compare("AF_XDP: netdev-afxdp", "afxdp", [polls, ovs])
    finally:
        for side in sides:
            side.end()
    veths.fact("rounds", "%d of %.1f s each" % (veths.ROUNDS, veths.SECS))
    return 0


if __name__ == "__main__":
    sys.exit(main())
