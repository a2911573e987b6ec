#!/usr/bin/python3
# SPDX-License-Identifier: Apache-2.0
"""TCP between two name spaces, iperf3's gigabits a second: bvs with veths as
they come, Open vSwitch with the senders' offloads off, as its userspace
datapath needs it."""

import json
import os
import subprocess
import sys

sys.dont_write_bytecode = True
sys.path.insert(0, os.path.join(os.path.dirname(os.path.abspath(__file__)),
                                "switch"))

import peers            # noqa: E402
import veths            # noqa: E402


def in_space(space, *command):
    return ["ip", "netns", "exec", space, "taskset", "-c", "0"] \
        + list(command)


def iperf(side):
    server = subprocess.Popen(
        in_space(side.spaces[1], "iperf3", "-s", "-1"),
        stdout=subprocess.PIPE, preexec_fn=peers.die_with_parent)
    try:
        peers.wait_until("iperf3", lambda: subprocess.run(
            in_space(side.spaces[1], "ss", "-Hltn"), text=True,
            capture_output=True).stdout.find(":5201") >= 0)
        done = subprocess.run(
            in_space(side.spaces[0], "iperf3", "-J", "-c", "10.0.0.2", "-t",
                     str(max(1, round(veths.SECS))), "-O", "1"),
            text=True, capture_output=True, timeout=120)
    finally:
        server.kill()
        server.wait()
    end = json.loads(done.stdout)
    if "error" in end:
        raise peers.Broken("%s: %s" % (side.label, end["error"]))
    return end["end"]["sum_received"]["bits_per_second"] / 1e9


def tcp(side, kind, offloads):
    def measure():
        side.connect(kind, spaces=True)
        try:
            if not offloads:
                for space, end in zip(side.spaces, side.ends):
                    subprocess.run(in_space(space, "ethtool", "-K", end,
                                            "tx", "off"),
                                   check=True, stdout=subprocess.DEVNULL)
            return iperf(side)
        finally:
            side.disconnect()
    return measure


def main():
    veths.enter()
    work = os.environ["TMPDIR"]
    sides = []
    try:
        sides.append(veths.Side(peers.BVS, work, "bvs", 1))
        sides.append(veths.Side(peers.OVS, work, "ovs", 2))
        sides.append(veths.Side(peers.OVS, work, "tso", 3, [
            "other_config:userspace-tso-enable=true"]))
        bvs, ovs, tso = sides
        veths.fact("peer", veths.version(ovs.switch))
        rates = veths.alternate([
            tcp(bvs, "system", True), tcp(ovs, "system", False),
            tcp(tso, "system", True), tcp(bvs, "afxdp", True),
            tcp(ovs, "afxdp", False)])
    finally:
        for side in sides:
            side.end()
    linux, ovs_linux, ovs_tso, afxdp, ovs_afxdp = rates
    unit = "%.2f Gbit/s"
    veths.row("Linux: netdev-linux", linux, ovs_linux, ">=1", unit)
    veths.row("Linux: netdev-linux, userspace-tso-enable", linux, ovs_tso,
              "-", unit)
    veths.row("AF_XDP: netdev-afxdp", afxdp, ovs_afxdp, ">=1", unit)
    veths.fact("rounds", "%d of %.0f s each" % (veths.ROUNDS, max(
        1, round(veths.SECS))))
    return 0


if __name__ == "__main__":
    sys.exit(main())
