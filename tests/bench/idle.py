#!/usr/bin/python3
# SPDX-License-Identifier: Apache-2.0
"""A switch without traffic: what part of a core all its threads take, and how
long the first packet after 20 ms of silence takes over two veths."""

import os
import re
import sys
import time

sys.dont_write_bytecode = True
sys.path.insert(0, os.path.join(os.path.dirname(os.path.abspath(__file__)),
                                "switch"))

import peers            # noqa: E402
import veths            # noqa: E402

LIMIT_PERCENT = 2.0
LIMIT_US = 100.0
QUIET_MS = 20


def cpu_secs(pid):
    """Of a whole process."""
    with open("/proc/%d/stat" % pid) as f:
        cells = f.read().rpartition(")")[2].split()
    return (int(cells[11]) + int(cells[12])) / os.sysconf("SC_CLK_TCK")


def idle_percent(side):
    pid = side.switch.pid
    secs = max(veths.SECS, 0.5) * 2
    # After a change of ports the main thread settles its database.
    time.sleep(0.5)
    before = cpu_secs(pid)
    time.sleep(secs)
    return max((cpu_secs(pid) - before) / secs * 100, 0.01)


def first_us(side):
    """(median, 99th percentile)"""
    text = side.tool("first", str(50 if veths.QUICK else 200), str(QUIET_MS))
    match = re.match(r"lost 0, us (\S+) (\S+)", text)
    if not match:
        raise peers.Broken(text)
    return float(match.group(1)), float(match.group(2))


def main():
    veths.enter()
    side = veths.Side(peers.BVS, os.environ["TMPDIR"], "bvs", 1,
                      ["other_config:worker-mode=adaptive"])
    try:
        for kind, name in (("system", "Linux"), ("afxdp", "AF_XDP")):
            side.connect(kind)
            percent = [idle_percent(side) for _ in range(3)]
            first = [first_us(side) for _ in range(3)]
            side.disconnect()
            veths.row(name + ", CPU without traffic: limit", percent,
                      [LIMIT_PERCENT] * 3, "<=1", "%.2f %%")
            veths.row(name + ", first packet after 20 ms, median: limit",
                      [x[0] for x in first], [LIMIT_US] * 3, "<=1",
                      "%.1f us")
            veths.row(name + ", the same, p99", [x[1] for x in first],
                      [LIMIT_US] * 3, "-", "%.1f us")
    finally:
        side.end()
    return 0


if __name__ == "__main__":
    sys.exit(main())
