#!/usr/bin/python3
# SPDX-License-Identifier: Apache-2.0
"""Two workers against one, on two captures of DPDK that are looped in memory:
packets a second of the workers' CPU time, the same daemon by turns."""

import os
import subprocess
import sys
import time

sys.dont_write_bytecode = True
sys.path.insert(0, os.path.join(os.path.dirname(os.path.abspath(__file__)),
                                "switch"))

import peers            # noqa: E402
import veths            # noqa: E402

WORKLOAD = "l2-1k"


def threads(pid):
    """{core: schedstat} of the workers, who say where they run."""
    found = {}
    base = "/proc/%d/task" % pid
    for task in os.listdir(base):
        with open("%s/%s/comm" % (base, task)) as f:
            if f.read().startswith("pmd-"):
                core = min(os.sched_getaffinity(int(task)))
                found[core] = "%s/%s/schedstat" % (base, task)
    return found


def cpu_ns(path):
    with open(path) as f:
        return int(f.read().split()[0])


class Pair:
    """A switch with two inputs, 1 and 3, and outputs 2 and 4."""

    def __init__(self, work):
        self.switch = peers.Switch(peers.BVS, work, [])
        folder = os.path.join(work, WORKLOAD)
        os.mkdir(folder)
        subprocess.run([os.path.join(os.environ["BUILD"],
                                     "tests/bench/gen/gen"),
                        "--seed=1", WORKLOAD, folder], check=True)
        self.switch.ofctl("add-flow", "br0",
                          "priority=60000,in_port=3,actions=output:4")
        self.switch.load(folder, folder + "/in.pcap")
        self.switch.add_device(4, "net_null,no-rx=1")
        self.switch.add_device(3, "net_pcap,rx_pcap=%s/in.pcap,infinite_rx=1"
                               % folder)
        self.switch.ofctl("add-flow", "br0",
                          "priority=60000,in_port=3,actions=output:4")

    def workers(self, n):
        switch = self.switch
        switch.vsctl(
            "set", "open", ".", "other_config:pmd-cpu-mask=%s"
            % ("3" if n == 2 else "2"), "--",
            "set", "interface", "p1", "other_config:pmd-rxq-affinity=0:1",
            "--", "set", "interface", "p3",
            "other_config:pmd-rxq-affinity=0:%d" % (0 if n == 2 else 1))
        peers.wait_until("%d workers" % n,
                         lambda: len(threads(switch.pid)) == n)

    def rate(self, n):
        """Packets a second that N workers handle, all of them busy."""
        def measure():
            self.workers(n)
            time.sleep(0.2)
            for _ in range(10):
                tasks = threads(self.switch.pid)
                (p1, p3, cpu) = self.read(tasks)
                time.sleep(veths.SECS)
                (q1, q3, done) = self.read(tasks)
                # A kernel that has not brought its times up to date, or a
                # thread that hardly ran, says nothing.
                if all(done[core] - cpu[core] > veths.SECS * 1e8
                       for core in cpu):
                    break
            else:
                raise peers.Broken("the workers do not get to run")
            if n == 1:
                return (q1 + q3 - p1 - p3) * 1e3 / (done[1] - cpu[1])
            return ((q1 - p1) * 1e3 / (done[1] - cpu[1])
                    + (q3 - p3) * 1e3 / (done[0] - cpu[0]))
        return measure

    def read(self, tasks):
        connection = self.switch.connection
        return (connection.counters(2)[1], connection.counters(4)[1],
                {core: cpu_ns(path) for core, path in tasks.items()})


def main():
    veths.enter()
    with open("/proc/sys/vm/nr_hugepages") as f:
        pages = int(f.read())
    pair = None
    try:
        with open("/proc/sys/vm/nr_hugepages", "w") as f:
            f.write("%d" % max(pages, 3072))
        pair = Pair(os.environ["TMPDIR"])
        one, two = veths.alternate([pair.rate(1), pair.rate(2)])
    finally:
        if pair:
            pair.switch.end()
        with open("/proc/sys/vm/nr_hugepages", "w") as f:
            f.write("%d" % pages)
    veths.row("two workers: one, " + WORKLOAD, two, one, ">=1.8",
              "%.2f Mpps")
    veths.fact("rounds", "%d of %.1f s each" % (veths.ROUNDS, veths.SECS))
    return 0


if __name__ == "__main__":
    sys.exit(main())
