# SPDX-License-Identifier: Apache-2.0
"""Switches between veths, for groups whose traffic comes from Linux.

A switch has two ports, on the ends p1 and p2 of its veths; the other ends
are sN and rN, where traffic comes from and goes to, both in the name space
that the benchmark makes for itself, or n1 and n2 in two of their own."""

import os
import statistics
import subprocess
import sys
import time

import peers

QUICK = bool(os.environ.get("BENCH_QUICK"))
SECS = float(os.environ.get("BENCH_SECS") or (0.3 if QUICK else 1))
ROUNDS = int(os.environ.get("BENCH_ROUNDS") or (1 if QUICK else 5))
TOOL = os.path.join(os.environ.get("BUILD", "build"), "tests/tools/veth")


def fact(key, text):
    print("# %s: %s" % (key, text), flush=True)


def enter():
    """A network name space of our own, or the end with status 77."""
    if os.geteuid():
        print("needs root, for network namespaces")
        sys.exit(77)
    if os.cpu_count() < 2:
        print("needs two cores")
        sys.exit(77)
    if "VETHS_INSIDE" not in os.environ:
        os.environ["VETHS_INSIDE"] = "1"
        os.execvp("unshare", ["unshare", "--net", "--mount", sys.executable]
                  + sys.argv)
    # "ip netns" names what it makes in a folder, which shall be ours.
    subprocess.run(["mount", "-t", "tmpfs", "none", "/run/netns"],
                   check=os.path.isdir("/run/netns"), stderr=subprocess.PIPE)
    ip("link", "set", "lo", "up")
    for family in ("all", "default"):
        with open("/proc/sys/net/ipv6/conf/%s/disable_ipv6" % family,
                  "w") as f:
            f.write("1")


def ip(*args):
    subprocess.run(("ip",) + args, check=True)


class Side:
    """A switch with its veths.  KIND: the type of its ports."""

    def __init__(self, name, work, label, number, config=()):
        self.label = label
        self.ports = ["p%d" % (10 * number + i) for i in (1, 2)]
        self.ends = ["e%d" % (10 * number + i) for i in (1, 2)]
        self.spaces = []
        self.switch = peers.Switch(name, os.path.join(work, label), None,
                                   config)
        self.kind = None
        self.sink = None

    def connect(self, kind, spaces=False):
        """Makes the veths and the ports, of type KIND."""
        self.kind = kind
        for number, (port, end) in enumerate(zip(self.ports, self.ends), 1):
            ip("link", "add", port, "type", "veth", "peer", "name", end)
            if spaces:
                self.into_space(end, number)
            else:
                for name in (port, end):
                    ip("link", "set", name, "up", "arp", "off")
                # So that frames without a buffer of the kernel's can come.
                subprocess.run(["ethtool", "-K", port, "gro", "on"],
                               check=True, stdout=subprocess.DEVNULL)
            ip("link", "set", port, "up")
            self.switch.vsctl("add-port", "br0", port, "--", "set",
                              "interface", port, "type=" + kind,
                              "ofport_request=%d" % number)
            error = self.switch.vsctl("get", "interface", port,
                                      "error").strip()
            if error not in ("[]", '""'):
                raise peers.Broken("%s: %s" % (self.label, error))
        self.switch.ofctl("add-flow", "br0", "in_port=1,actions=output:2")
        self.switch.ofctl("add-flow", "br0", "in_port=2,actions=output:1")
        self.find_thread()

    def into_space(self, end, number):
        space = "%s-%d" % (self.ports[0], number)
        ip("netns", "add", space)
        self.spaces.append(space)
        ip("link", "set", end, "netns", space)
        ip("-n", space, "addr", "add", "10.0.0.%d/24" % number, "dev", end)
        ip("-n", space, "link", "set", end, "up")
        ip("-n", space, "link", "set", "lo", "up")

    def find_thread(self):
        """Finds who polls and pins it: Open vSwitch's main thread polls
        devices of Linux."""
        switch = self.switch
        if switch.name == peers.BVS or self.kind != "system":
            switch.find_thread("pmd-")
        else:
            switch.find_thread("(bvs|ovs)-vswitchd")
        os.sched_setaffinity(switch.tid, {peers.CORE})

    def disconnect(self):
        for port in self.ports:
            self.switch.vsctl("--if-exists", "del-port", port)
            subprocess.run(["ip", "link", "del", port])
        for space in self.spaces:
            ip("netns", "del", space)
        self.spaces = []
        self.switch.ofctl("del-flows", "br0")

    def tool(self, *args):
        """What tests/tools/veth says, from core 0."""
        done = subprocess.run(
            ["taskset", "-c", "0", TOOL, args[0]] + self.ends
            + list(args[1:]), text=True, capture_output=True, timeout=120)
        if done.returncode:
            raise peers.Broken("%s: %s" % (self.label, done.stderr
                                           or done.stdout))
        return done.stdout

    def flood(self, secs):
        """Packets that come out a second of the polling thread's time, while
        more come in than can be handled."""
        switch = self.switch
        tool = subprocess.Popen(
            ["taskset", "-c", "0", TOOL, "flood"] + self.ends, text=True,
            stdin=subprocess.PIPE, stdout=subprocess.PIPE, bufsize=1,
            preexec_fn=peers.die_with_parent)

        def count():
            tool.stdin.write("\n")
            return int(tool.stdout.readline())
        try:
            peers.wait_until("packets through " + self.label,
                             lambda: count() > 1000)
            n, cpu = count(), switch.cpu_ns()
            time.sleep(secs)
            n, cpu = count() - n, switch.cpu_ns() - cpu
        finally:
            tool.kill()
            tool.wait()
        if not n:
            raise peers.Broken("nothing comes through " + self.label)
        return n * 1e9 / cpu

    def end(self):
        self.switch.end()


def alternate(measures, rounds=ROUNDS):
    """Calls the functions by turns, ABBA; their results in lists."""
    results = [[] for _ in measures]
    for i in range(rounds):
        order = list(enumerate(measures))
        for j, measure in order if i % 2 == 0 else order[::-1]:
            results[j].append(measure())
    return results


def spread(values):
    return (max(values) - min(values)) / 2 / statistics.median(values)


def row(name, ours, theirs, gate, unit="%.2f"):
    """Prints a row: medians of two lists of numbers."""
    a, b = statistics.median(ours), statistics.median(theirs)
    print("\t".join([name, unit % a, unit % b, "%.2f" % (a / b),
                     "-" if QUICK else gate,
                     "%.0f%%" % (100 * max(spread(ours), spread(theirs)))]),
          flush=True)


def version(switch):
    return switch.run("ovs-vswitchd", "--version").splitlines()[0]
