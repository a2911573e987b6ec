# SPDX-License-Identifier: Apache-2.0
"""The dependency law (the file `law' beside this one)."""

import fnmatch
import os
import re
import subprocess

# Headers of the libraries; what is not here, ours or Open vSwitch's is libc's.
LIBRARIES = (
    ("rte_", "dpdk"), ("xdp/", "libxdp"), ("bpf/", "libbpf"),
    ("libelf.h", "libelf"), ("gelf.h", "libelf"), ("pcap", "libpcap"),
    ("openssl/", "libssl"), ("numa", "libnuma"), ("cmocka.h", "cmocka"),
    ("capstone/", "capstone"),
)
INCLUDE = re.compile(r'^[ \t]*#[ \t]*include[ \t]*(["<])([^">]+)[">]', re.M)
OURS = ("vm", "jit", "datapath", "ofproto", "utilities", "tests")
ARCHIVES = {"vm": "vm", "jit": "jit", "dp": "datapath", "ofproto": "ofproto",
            "util": "utilities"}


def read_law():
    law = []
    with open("tests/lint/law") as f:
        for line in f:
            line = line.split("#")[0].strip()
            if line:
                who, _, what = line.partition(":")
                law.append((who.strip(), what.split()))
    return law


def allowed(law, path):
    """What PATH may include: of the lines that fit, all that they name."""
    result = []
    for who, what in law:
        if path.startswith(who + "/") or fnmatch.fnmatch(path, who):
            result += what
    return result


def classify(tree, path, name):
    """Returns what NAME, included by PATH, belongs to."""
    beside = os.path.join(os.path.dirname(path), name)
    for ours in (name, beside):
        if os.path.exists(ours) and ours.split("/")[0] in OURS:
            return os.path.normpath(ours)
    for start, library in LIBRARIES:
        if name.startswith(start):
            return library
    ovs = tree.config["OVS"]
    for folder in ("src/include", "build/include", "src/lib", "build/lib",
                   "build"):
        if os.path.exists(os.path.join(ovs, folder, name)):
            # It wraps some of the system's headers.
            wrapped = os.path.exists(os.path.join("/usr/include", name))
            return "libc" if wrapped else "libopenvswitch"
    if os.path.exists(os.path.join(ovs, "src", name)):
        return {"ofproto": "libofproto", "ovsdb": "libovsdb"}.get(
            name.split("/")[0], "vswitchd")
    return "libc"


def check_includes(tree):
    law = read_law()
    for path in tree.code(".c", ".h", ".def"):
        may = allowed(law, path)
        if "*" in may:
            continue
        text = tree.text(path)
        for match in INCLUDE.finditer(text):
            what = classify(tree, path, match.group(2))
            if any(what == m or what.startswith(m + "/")
                   or fnmatch.fnmatch(what, m) for m in may):
                continue
            line = text.count("\n", 0, match.start()) + 1
            yield ("%s:%s" % (path, match.group(2)), line,
                   "may not include %s (%s)" % (match.group(2), what))


def nm(archive, *options):
    return subprocess.run(["nm", *options, archive], text=True,
                          capture_output=True).stdout.split("\n")


def symbols(archive):
    """Returns ({defined}, {undefined: object})."""
    defined = set()
    undefined = {}
    member = ""
    for line in nm(archive, "-P", "-g", "-A"):
        words = line.split()
        if len(words) < 3:
            continue
        member = re.sub(r".*\[(.*)\]:$", r"\1", words[0])
        if words[2] in "Uwv":
            undefined.setdefault(words[1], member)
        else:
            defined.add(words[1])
    for name in defined:
        undefined.pop(name, None)
    return defined, undefined


def check_symbols(tree):
    law = read_law()
    ours = {name: symbols("%s/lib/libbvs-%s.a" % (tree.build, name))
            for name in ARCHIVES}
    ovs = tree.config["OVS"] + "/build/"
    theirs = {"libopenvswitch": "lib/.libs/libopenvswitch.a",
              "libofproto": "ofproto/.libs/libofproto.a",
              "libovsdb": "ovsdb/.libs/libovsdb.a"}
    owner = {}
    for library, archive in theirs.items():
        for name in symbols(ovs + archive)[0]:
            owner[name] = library
    for archive, (defined, _) in ours.items():
        for name in defined:
            owner[name] = ARCHIVES[archive]
    for archive, (_, undefined) in ours.items():
        folder = ARCHIVES[archive]
        may = {m.split("/")[0] for m in allowed(law, folder + "/x.c")}
        if "*" in may:
            continue
        for name, member in sorted(undefined.items()):
            library = owner.get(name)
            if not library and name.startswith("rte_"):
                library = "dpdk"
            if library and library not in may and library != folder:
                yield ("%s/%s:%s" % (folder, member, name), 0,
                       "%s uses %s of %s" % (member, name, library))


PREFIXES = {"vm": "vm_", "jit": "jit_", "dp": "dp_", "ofproto": "of_"}


def check_prefixes(tree):
    """What a module shows to others carries its prefix, and nothing public
    takes the place of a symbol of Open vSwitch's by accident."""
    ours = {name: symbols("%s/lib/libbvs-%s.a" % (tree.build, name))
            for name in ARCHIVES}
    theirs = set()
    for archive in (tree.build + "/ovs/libopenvswitch.a",
                    tree.build + "/ovs/libofproto.a",
                    tree.config["OVS"] + "/build/ovsdb/.libs/libovsdb.a"):
        theirs |= symbols(archive)[0]
    for archive, (defined, _) in ours.items():
        used = set()
        for other, (_, undefined) in ours.items():
            used |= set(undefined) if other != archive else set()
        for name in sorted(defined):
            place = "%s:%s" % (ARCHIVES[archive], name)
            if name in theirs and not name.startswith("__"):
                yield place, 0, "%s is a symbol of Open vSwitch's" % name
            elif name in used and archive in PREFIXES and \
                    not name.startswith(PREFIXES[archive]):
                yield (place, 0, "%s is used by other folders and lacks the "
                       "prefix %s" % (name, PREFIXES[archive]))


def check_shadows(tree):
    """`#include "ofproto/x.h"' must not mean two files."""
    for path in tree.code(".h"):
        if os.path.exists(os.path.join(tree.config["OVS"], "src", path)):
            yield path, 0, "Open vSwitch has a header of that name"


CHECKS = [("law-includes", check_includes), ("law-symbols", check_symbols),
          ("prefixes", check_prefixes), ("shadows", check_shadows)]
