#!/usr/bin/python3
# SPDX-License-Identifier: Apache-2.0
# timeout: 600
"""Runs the cases of tests/data/vm as the public conformance suite runs its
own: a process a case, `plugin MEM --jit', under QEMU."""

import concurrent.futures
import os
import subprocess
import sys

TOP, BUILD = os.environ["TOP"], os.environ["BUILD"]
DATA = os.path.join(TOP, "tests/data/vm")


def cases(path):
    """Yields (name, {section: text}) for each case that has a result."""
    case, section = None, None
    with open(path) as f:
        for line in [*f, "== \n"]:
            text = line.split("#")[0].strip()
            if line.startswith("== "):
                if case and "result" in case[1]:
                    yield case
                case, section = (line[3:].strip(), {}), None
            elif line.startswith("-- ") and case:
                section = line[3:].strip()
                case[1][section] = ""
            elif section and text:
                case[1][section] += text + "\n"


def run(case):
    """Returns None, or what is wrong; "refused" if it was not verified."""
    sections = case[1]
    code = subprocess.run(["bvs-bpf", "asm", "-"], input=sections["asm"],
                          capture_output=True, text=True)
    if code.returncode:
        return "bvs-bpf asm: " + code.stderr
    mem = bytes.fromhex("".join(sections.get("mem", "").split())).hex("_")
    argv = ["qemu-aarch64", BUILD + "/bin/plugin", "--jit"]
    if mem:
        argv.append(mem.replace("_", "  "))
    done = subprocess.run(argv, input=code.stdout, capture_output=True,
                          text=True)
    if done.returncode == 1 and "insn" in done.stderr:
        return "refused"
    want = int(sections["result"], 0) % 2 ** 64
    if done.returncode or int(done.stdout, 16) != want:
        return "status %d, %s%s, not %x" % (done.returncode, done.stdout,
                                            done.stderr, want)
    return None


def main():
    refused = total = failed = 0
    for name in sorted(os.listdir(DATA)):
        if not name.endswith(".data"):
            continue
        work = list(cases(os.path.join(DATA, name)))
        with concurrent.futures.ThreadPoolExecutor(2) as pool:
            results = list(pool.map(run, work))
        wrong = [(case[0], result) for case, result in zip(work, results)
                 if result not in (None, "refused")]
        for case, result in wrong:
            print("%s: %s: %s" % (name, case, result))
        print("%s %s" % ("not ok" if wrong else "ok", name))
        failed += bool(wrong)
        refused += results.count("refused")
        total += len(work)
    accepted = total and refused * 20 <= total
    print("%s verified - %d of %d cases refused"
          % ("ok" if accepted else "not ok", refused, total))
    return failed or not accepted


if __name__ == "__main__":
    sys.exit(main())
