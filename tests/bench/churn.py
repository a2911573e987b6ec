#!/usr/bin/python3
# SPDX-License-Identifier: Apache-2.0
"""Forwarding while rules change: agw-100k and flow_mods at some rate.

A route to a host is added to the access gateway's table of 10,000 prefixes,
and then deleted again: flow_mods without answers, as many a second as the row
says, over a connection of its own.  Each rate is measured between two samples
without changes, against whose mean it is divided ("own rate at 0"); and the
two switches against each other.  BENCH_ROWS: only these rates.  BENCH_SECS: of
each sample (2)."""

import os
import socket
import struct
import subprocess
import sys
import threading
import time

sys.dont_write_bytecode = True
sys.path.insert(0, os.path.join(os.path.dirname(os.path.abspath(__file__)),
                                "switch"))

import peers            # noqa: E402

QUICK = bool(os.environ.get("BENCH_QUICK"))
SECS = float(os.environ.get("BENCH_SECS") or (0.2 if QUICK else 2))
RATES = ([100] if QUICK else
         [int(n) for n in (os.environ.get("BENCH_ROWS")
                           or "100,1000,10000,50000").split(",")])
GATED = 10000
TABLE = 200
STEP = 0.005                # Seconds between writes.


def flow_mod(number, command):
    """An OpenFlow 1.3 flow_mod: a /32 in the table of prefixes."""
    fields = struct.pack("!IH", 0x80000a02, 0x0800) + struct.pack(
        "!II", 0x80001804, 0xc6120000 + number)
    match = struct.pack("!HH", 1, 4 + len(fields)) + fields
    match += bytes(-len(match) % 8)
    body = struct.pack("!QQBBHHHIIIHH", 0, 0, TABLE, command, 0, 0, 33,
                       0xffffffff, 0xffffffff, 0xffffffff, 0, 0) + match
    return struct.pack("!BBHI", 4, 14, 8 + len(body), number) + body


class Changes(threading.Thread):
    """Sends flow_mods until it is ended."""

    def __init__(self, path, rate):
        super().__init__(daemon=True)
        self.rate = rate
        self.ending = False
        self.n = 0
        self.socket = socket.socket(socket.AF_UNIX)
        self.socket.settimeout(30)
        self.socket.connect(path)
        self.socket.sendall(struct.pack("!BBHI", 4, 0, 8, 1))
        self.messages = [flow_mod(i // 2 % 5000, 4 if i % 2 else 0)
                         for i in range(10000)]

    def run(self):
        start = time.monotonic()
        while not self.ending:
            due = int((time.monotonic() - start) * self.rate)
            if due > self.n:
                self.socket.sendall(b"".join(
                    self.messages[i % len(self.messages)]
                    for i in range(self.n, due)))
                self.n = due
            time.sleep(STEP)
        self.secs = time.monotonic() - start

    def end(self):
        self.ending = True
        self.join()
        self.socket.close()


def sample(switch, rate):
    """(packets a second of the thread's CPU time, flow_mods a second)."""
    if not rate:
        return switch.sample(SECS), 0
    changes = Changes(switch.folder + "/br0.mgmt", rate)
    changes.start()
    try:
        return switch.sample(SECS), rate
    finally:
        changes.end()
        if changes.n < 0.9 * rate * changes.secs:
            print("# %s: took %d flow_mods a second of %d"
                  % (switch.name, changes.n / changes.secs, rate), flush=True)


def main():
    if os.geteuid():
        print("needs root, for DPDK")
        return 77
    work = os.environ["TMPDIR"]
    os.chmod(work, 0o755)
    memory = peers.Memory()
    folder = os.path.join(work, "agw")
    os.mkdir(folder)
    subprocess.run([os.path.join(os.environ["BUILD"], "tests/bench/gen/gen"),
                    "--seed=" + os.environ.get("BENCH_SEED", "1"),
                    "agw-100" if QUICK else "agw-100k", folder], check=True)
    switches = []
    try:
        for name in (peers.BVS, peers.OVS):
            switch = peers.Switch(name, work, memory.eal)
            switches.append(switch)
            switch.load(folder, folder + "/in.pcap")
            if not switch.settle(0.5 if QUICK else 2, 60):
                print("# %s: never settles" % name)
        for rate in RATES:
            found = {}
            for switch in switches:
                still, changing = [], []
                for n in (0, rate, rate, 0):
                    (changing if n else still).append(sample(switch, n)[0])
                found[switch.name] = (sum(still) / 2, sum(changing) / 2)
            still, ours = found[peers.BVS]
            _, theirs = found[peers.OVS]
            gate = ">=0.9" if rate == GATED and not QUICK else "-"
            print("churn %d/s: own rate at 0\t%.2f Mpps\t%.2f Mpps\t%.2f\t%s"
                  "\t-" % (rate, ours / 1e6, still / 1e6, ours / still, gate))
            print("churn %d/s: Open vSwitch\t%.2f Mpps\t%.2f Mpps\t%.2f\t-\t-"
                  % (rate, ours / 1e6, theirs / 1e6, ours / theirs),
                  flush=True)
    finally:
        for switch in switches:
            switch.end()
    return 0


if __name__ == "__main__":
    sys.exit(main())
