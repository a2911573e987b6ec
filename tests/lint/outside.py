# SPDX-License-Identifier: Apache-2.0
"""Checks that other programs make: compiler, make, mandoc, shellcheck."""

import concurrent.futures
import glob
import os
import re
import subprocess


def output(argv, **kwargs):
    return subprocess.run(argv, text=True, stdout=subprocess.PIPE,
                          stderr=subprocess.STDOUT, **kwargs)


def check_headers(tree):
    """Every header compiles alone."""
    flags = output(["make", "-s", "BUILD=" + tree.build, "flags"],
                   env=dict(os.environ, MAKEFLAGS="")).stdout.split("\n")
    pure, full = flags[0].split(), flags[1].split()

    def compile_one(path):
        argv = [tree.config["CC"], *(pure if path.startswith(("vm/", "jit/")) else full),
                "-Werror", "-fsyntax-only", "-x", "c", path]
        result = output(argv)
        return path, result.returncode and result.stdout

    headers = [h for h in tree.code(".h")]
    with concurrent.futures.ThreadPoolExecutor(2) as pool:
        for path, error in pool.map(compile_one, headers):
            if error:
                first = [e for e in error.split("\n") if "error" in e]
                yield path, 0, "does not compile alone: %s" % (
                    first or [error])[0]


def check_targets(tree):
    """Every C file belongs to a target of the Makefile."""
    sources = set(output(["make", "-s", "BUILD=" + tree.build, "sources"],
                         env=dict(os.environ, MAKEFLAGS="")).stdout.split())
    for path in tree.code(".c"):
        if path not in sources:
            yield path, 0, "belongs to no target of the Makefile"


def check_man(tree):
    """mandoc is content, and every program has a page with its options."""
    for path in tree.files:
        if re.match(r"utilities/man/.*\.[1-8]$", path):
            result = output(["mandoc", "-Tlint", "-Wwarning", path])
            for line in result.stdout.strip().split("\n"):
                if line:
                    yield path, 0, line
    for path in tree.files:
        program = re.match(r"utilities/(bvs-\w+)\.c$", path)
        if program:
            name = program.group(1)
            pages = glob.glob("utilities/man/%s.[18]" % name)
            if not pages:
                yield path, 0, "%s has no man page" % name


def check_shell(tree):
    scripts = []
    for path in tree.files:
        with open(path, "rb") as f:
            if re.match(rb"#!.*\b(ba|da)?sh\b", f.readline()):
                scripts.append(path)
    if scripts:
        # SC2317: it does not see functions that are called by name.
        result = output(["shellcheck", "-x", "-P", "SCRIPTDIR", "-e", "SC2317",
                         "-f", "gcc", *scripts])
        for line in result.stdout.strip().split("\n"):
            if line:
                place, number, rest = line.split(":", 2)
                yield place, int(number), rest.split(":", 1)[-1].strip()


def check_python(tree):
    for path in tree.files:
        with open(path, "rb") as f:
            first = f.readline()
        if path.endswith(".py") or re.match(rb"#!.*\bpython3", first):
            try:
                compile(tree.text(path), path, "exec")
            except SyntaxError as e:
                yield path, e.lineno, e.msg


CHECKS = [("headers", check_headers), ("targets", check_targets),
          ("man", check_man), ("shell", check_shell),
          ("python", check_python)]
