# SPDX-License-Identifier: Apache-2.0
"""Sizes of files and functions."""

import fnmatch
import re

FILE_WARN, FILE_FAIL = 800, 1500
FUNCTION_LINES, FUNCTION_PARAMS = 80, 5
COLUMNS = 79


def check_files(tree):
    for path in tree.code(".c", ".h", ".def", ".inc", ".py", ".sh", "/run"):
        n = tree.text(path).count("\n")
        if n > FILE_FAIL:
            yield path, 0, "%d lines, more than %d" % (n, FILE_FAIL)
        elif n > FILE_WARN:
            tree.warnings.append("%s: %d lines; past %d a file wants "
                                 "splitting" % (path, n, FILE_WARN))


def check_functions(tree):
    for path in tree.code(".c", ".h"):
        for f in tree.functions(path):
            place = "%s:%s" % (path, f.name)
            n = f.end - f.line + 1
            if n > FUNCTION_LINES:
                yield place, f.line, "%s has %d lines, more than %d" % (
                    f.name, n, FUNCTION_LINES)
            if f.params > FUNCTION_PARAMS:
                yield place, f.line, "%s has %d parameters, more than %d" % (
                    f.name, f.params, FUNCTION_PARAMS)


def check_lines(tree):
    for path in tree.code(".c", ".h", ".def", ".inc"):
        for number, line in enumerate(tree.text(path).split("\n"), 1):
            # A row of a table stays one line.
            if len(line) > COLUMNS and not path.endswith(".def"):
                yield path, number, "%d columns, more than %d" % (
                    len(line), COLUMNS)
            if "\t" in line:
                yield path, number, "a tab"
            if line.endswith((" ", "\r")):
                yield path, number, "white space at the end"


# Calls that no C file may make, and why.
FORBIDDEN = {
    "strcpy": "has no bound", "strcat": "has no bound",
    "sprintf": "has no bound", "vsprintf": "has no bound",
    "gets": "has no bound", "strtok": "keeps a state",
    "alloca": "has no failure", "system": "runs a shell",
}
# In the packet path (the file `packet-path'), these too.
PATH_FORBIDDEN = re.compile(
    r"\b(x?malloc|x?calloc|x?realloc|x?zalloc|x?memdup|x?strdup|x?asprintf"
    r"|aligned_alloc|posix_memalign|free|printf|fprintf|puts|VLOG_[A-Z_]+"
    r"|ds_\w+|ovs_mutex_\w+|ovs_rwlock_\w+|pthread_mutex_\w+"
    r"|pthread_rwlock_\w+|pthread_cond_\w+|u?sleep|nanosleep)\s*\(")
CALL = re.compile(r"\b(%s)\s*\(" % "|".join(FORBIDDEN))


def check_forbidden(tree):
    for path in tree.code(".c", ".h"):
        for number, line in enumerate(tree.stripped(path).split("\n"), 1):
            for match in CALL.finditer(line):
                name = match.group(1)
                yield "%s:%s" % (path, name), number, "%s() %s" % (
                    name, FORBIDDEN[name])


def check_packet_path(tree):
    """Lines of `packet-path': FILE [FUNCTION-PATTERN]... (default: all)."""
    with open("tests/lint/packet-path") as f:
        for line in f:
            words = line.split("#")[0].split()
            if not words:
                continue
            files = [p for p in tree.code(".c", ".h")
                     if fnmatch.fnmatch(p, words[0])]
            patterns = words[1:] or ["*"]
            if not files:
                yield words[0], 0, "packet-path names a file that is gone"
            for path in files:
                yield from check_path_file(tree, path, patterns)


def check_path_file(tree, path, patterns):
    hit = set()
    for f in tree.functions(path):
        fits = [p for p in patterns if fnmatch.fnmatch(f.name, p)]
        hit.update(fits)
        for number, line in f.body if fits else []:
            for match in PATH_FORBIDDEN.finditer(line):
                yield "%s:%s" % (path, f.name), number, (
                    "%s() in the packet path (%s)" % (match.group(1), f.name))
    for pattern in patterns:
        if pattern not in hit and len(patterns) > 1:
            yield path, 0, "packet-path names %s, which is gone" % pattern


CHECKS = [("files", check_files), ("functions", check_functions),
          ("lines", check_lines), ("forbidden", check_forbidden),
          ("packet-path", check_packet_path)]
