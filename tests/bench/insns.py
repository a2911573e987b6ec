#!/usr/bin/python3
# SPDX-License-Identifier: Apache-2.0
"""Instructions that a packet costs, by workload: `make bench B=insns'.

Time means little on a machine that others use; instructions can be counted
exactly.  bvs-replay runs each workload's packets as a busy worker does, as
native code in bursts of 32, and callgrind counts what dp_run_burst() and what
it calls execute.  Receiving and sending is not in it.

    insns.py [--update] [WORKLOAD]...

The numbers in insns.tsv are what it was when it was last looked at.  A row
that grew by more than 2% fails: find out why, and if it is worth it, say so
in the commit that runs this with --update.  One that fell by more than 2%
fails, too, so that the numbers stay what they are."""

import argparse
import os
import re
import subprocess
import sys

TOP = os.path.dirname(os.path.abspath(__file__))
TABLE = os.path.join(TOP, "insns.tsv")
TOLERANCE = 0.02
HEAD = """\
# Instructions a packet: workload of gen, number (tests/bench/insns.py --update).
"""


def rows():
    with open(TABLE) as f:
        return [line.split() for line in f if not line.startswith("#")]


def generate(build, workload, directory):
    os.makedirs(directory)
    subprocess.run([os.path.join(build, "tests/bench/gen/gen"), "--seed=1",
                    workload, directory], check=True,
                   stdout=subprocess.DEVNULL)


def n_packets(pcap):
    """Of a file of gen, whose packets all have one size."""
    with open(pcap, "rb") as f:
        head = f.read(40)
    size = int.from_bytes(head[32:36], sys.byteorder) + 16
    return (os.path.getsize(pcap) - 24) // size


def count(build, workload, tmp):
    """Instructions a packet."""
    directory = os.path.join(tmp, workload)
    generate(build, workload, directory)
    file = lambda name: os.path.join(directory, name)
    groups = (["--groups=" + file("groups")]
              if os.path.exists(file("groups")) else [])
    run = subprocess.run(
        ["valgrind", "--tool=callgrind", "--collect-atstart=no",
         "--toggle-collect=dp_run_burst", "--callgrind-out-file=/dev/null",
         os.path.join(build, "bin/bvs-replay"), "--native", "--burst=32",
         "--flows=" + file("flows"), *groups, "--in", "1=" + file("in.pcap"),
         "--out", "2=" + file("out.pcap")],
        stdout=subprocess.PIPE, stderr=subprocess.STDOUT, text=True)
    match = re.search(r"Collected : (\d+)", run.stdout)
    if run.returncode or not match:
        sys.exit("%s: bvs-replay under valgrind: status %d\n%s"
                 % (workload, run.returncode, run.stdout[-2000:]))
    if n_packets(file("out.pcap")) == 0:
        sys.exit("%s: nothing was forwarded" % workload)
    return int(match.group(1)) / n_packets(file("in.pcap"))


def main():
    parser = argparse.ArgumentParser()
    parser.add_argument("--update", action="store_true")
    parser.add_argument("workload", nargs="*")
    args = parser.parse_args()
    build = os.environ.get("BUILD", "build")
    tmp = os.environ["TMPDIR"]
    found = {}

    for workload, before in rows():
        if args.workload and workload not in args.workload:
            found[workload] = float(before)
            continue
        now = found[workload] = count(build, workload, tmp)
        before = float(before)
        ratio = now / before if before else 1
        fall = "" if ratio >= 1 - TOLERANCE else " (fell)"
        print("\t".join([
            workload + fall, "%.1f insns" % now, "%.1f insns" % before,
            "%.3f" % (ratio if not fall else 1 / ratio),
            "<=%.2f" % (1 + TOLERANCE), "-"]), flush=True)
    if args.update:
        with open(TABLE, "w") as f:
            f.write(HEAD)
            for workload, number in found.items():
                f.write("%s\t%.1f\n" % (workload, number))


if __name__ == "__main__":
    main()
