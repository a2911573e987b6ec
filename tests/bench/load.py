#!/usr/bin/python3
# SPDX-License-Identifier: Apache-2.0
"""How long rules take to be in effect, and their memory, beside Open vSwitch.

Stock ovs-ofctl, on the core of the switch's control threads, adds l2's rules:
a barrier behind each ("plain", which is what it does by itself), and in one
bundle; in the end the switch must have them all.  Rounds are bvs, Open
vSwitch, Open vSwitch, bvs, each with a daemon of its own; the least time of
both counts.  With traffic, packets that match none of the rules yet arrive all
the while, and the time ends when packets leave the switch.  Memory: what the
process grew by, with rules added one by one.

BENCH_ROWS: only these sizes (10k,100k,1M).  BENCH_TRAFFIC: sizes with traffic
(10k), which takes Open vSwitch minutes with 100k."""

import os
import shutil
import subprocess
import sys
import time

sys.dont_write_bytecode = True
sys.path.insert(0, os.path.join(os.path.dirname(os.path.abspath(__file__)),
                                "switch"))

import peers            # noqa: E402

NUMBERS = {"1k": 1000, "10k": 10000, "100k": 100000, "1M": 1000000}
QUICK = bool(os.environ.get("BENCH_QUICK"))
SIZES = (["1k"] if QUICK else (os.environ.get("BENCH_ROWS")
                               or "10k,100k,1M").split(","))
TRAFFIC = (["1k"] if QUICK else (os.environ.get("BENCH_TRAFFIC")
                                 or "10k").split(","))
FLAGS = {"plain": [], "bundle": ["-O", "OpenFlow14", "--bundle"]}
# More bytes a flow than Open vSwitch's that may be.
MORE_BYTES = 128


def generate(work, size):
    folder = os.path.join(work, "l2-" + size)
    if not os.path.exists(folder):
        os.mkdir(folder)
        subprocess.run([os.path.join(os.environ["BUILD"],
                                     "tests/bench/gen/gen"),
                        "--seed=" + os.environ.get("BENCH_SEED", "1"),
                        "l2-" + size, folder], check=True)
    return folder


def resident(pid):
    with open("/proc/%d/statm" % pid) as f:
        return int(f.read().split()[1]) * os.sysconf("SC_PAGE_SIZE")


def n_flows(switch):
    text = switch.ofctl("dump-aggregate", "br0")
    return int(text.partition("flow_count=")[2].split()[0])


def add(switch, mode, folder):
    subprocess.run(["taskset", "-c", "0", "ovs-ofctl"] + FLAGS[mode]
                   + ["add-flows", "br0", folder + "/flows"],
                   env=switch.env, check=True, timeout=1800)


def timed(name, work, size, mode, traffic):
    """(seconds, bytes that the daemon grew by)."""
    folder = generate(work, size)
    switch = peers.Switch(name, work, [])
    try:
        if traffic:
            switch.add_device(2, "net_null,no-rx=1")
            switch.add_device(1, "net_pcap,rx_pcap=%s/in.pcap,infinite_rx=1"
                              % folder)
            peers.wait_until("packets", lambda:
                             switch.connection.counters(1)[0] > 0)
        before = resident(switch.pid)
        start = time.monotonic()
        add(switch, mode, folder)
        if traffic:
            sent = switch.packets()
            peers.wait_until("packets that pass",
                             lambda: switch.packets() > sent)
        secs = time.monotonic() - start
        grown = resident(switch.pid) - before
        if n_flows(switch) != NUMBERS[size]:
            raise peers.Broken("%s has %d flows of %s"
                               % (name, n_flows(switch), size))
        return secs, grown
    finally:
        switch.end()


def least(work, size, mode, traffic=False):
    """{name: (least seconds, least growth, spread of seconds)}."""
    found = {peers.BVS: [], peers.OVS: []}
    order = [peers.BVS, peers.OVS]
    if size != "1M" and not traffic:
        order += order[::-1]
    for name in order:
        found[name].append(timed(name, work, size, mode, traffic))
    return {name: (min(secs for secs, _ in values),
                   min(grown for _, grown in values),
                   max(secs for secs, _ in values)
                   / min(secs for secs, _ in values) - 1)
            for name, values in found.items()}


def row(name, ours, theirs, gate, spread):
    print("%s\t%.2f s\t%.2f s\t%.3f\t%s\t%.0f%%"
          % (name, ours, theirs, ours / theirs, "-" if QUICK else gate,
             100 * spread), flush=True)


def measure(work, size):
    times = {}
    for mode in ("plain", "bundle"):
        both = times[mode] = least(work, size, mode)
        ours, theirs = both[peers.BVS], both[peers.OVS]
        gate = "<=0.2" if (size, mode) == ("1M", "plain") else "-"
        row("load %s, %s: Open vSwitch" % (size, mode), ours[0], theirs[0],
            gate, max(ours[2], theirs[2]))
    ours = [times[mode][peers.BVS] for mode in ("plain", "bundle")]
    row("load %s, plain: own bundle" % size, ours[0][0], ours[1][0],
        "-" if size == "10k" else "<=1.5", max(ours[0][2], ours[1][2]))
    grown = [times["plain"][name][1] / NUMBERS[size]
             for name in (peers.BVS, peers.OVS)]
    print("load %s, memory a flow: Open vSwitch's and %d bytes\t%.0f B\t"
          "%.0f B\t%.3f\t%s\t-"
          % (size, MORE_BYTES, grown[0], grown[1] + MORE_BYTES,
             grown[0] / (grown[1] + MORE_BYTES),
             "<=1" if size == "1M" else "-"), flush=True)


def main():
    if os.geteuid():
        print("needs root, for DPDK")
        return 77
    work = os.environ["TMPDIR"]
    os.chmod(work, 0o755)
    memory = peers.Memory()
    if memory.eal:
        print("there are no huge pages")
        return 77
    for size in SIZES:
        measure(work, size)
        shutil.rmtree(os.path.join(work, "l2-" + size))
    for size in TRAFFIC:
        both = least(work, size, "plain", True)
        row("load %s with traffic: Open vSwitch" % size, both[peers.BVS][0],
            both[peers.OVS][0], "<=0.02" if size == "100k" else "-", 0)
    return 0


if __name__ == "__main__":
    sys.exit(main())
