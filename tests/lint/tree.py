# SPDX-License-Identifier: Apache-2.0
"""The files of the tree, and a little understanding of C."""

import os
import re
import subprocess
import sys

TOP = os.path.dirname(os.path.dirname(os.path.dirname(
    os.path.abspath(__file__))))
CODE = ("vm", "jit", "datapath", "ofproto", "utilities", "tests")
# Programs as users write them, each in the manner of another person.
FOREIGN = ("tests/corpus/progs/", "tests/bench/progs/")


class Function:
    """A function's definition in a C file."""

    def __init__(self, name, line, params):
        self.name = name
        self.line = line
        self.params = params
        self.end = line
        self.body = []          # (number, text)


class Tree:
    def __init__(self, build):
        os.chdir(TOP)
        self.build = build
        self.config = self._config()
        self.warnings = []
        self.files = self._files()
        self.exceptions = self._exceptions()
        self._text = {}
        self._functions = {}

    def _config(self):
        config = {}
        path = os.path.join(self.build, "config.mk")
        if not os.path.exists(path):
            sys.exit("lint: %s is missing; run make first" % path)
        with open(path) as f:
            for line in f:
                name, eq, value = line.partition("=")
                if eq:
                    config[name.strip()] = value.strip()
        return config

    def _files(self):
        """All files that are or could be committed."""
        out = subprocess.run(
            ["git", "ls-files", "-co", "--exclude-standard"], text=True,
            capture_output=True).stdout.split("\n")
        files = [f for f in out if f and os.path.isfile(f)]
        if not files:
            for folder, _, names in os.walk("."):
                files += [os.path.relpath(os.path.join(folder, n))
                          for n in names]
            files = [f for f in files if not f.startswith(("build", ".git/"))]
        return sorted(files)

    def _exceptions(self):
        """Lines of the file `exceptions': CHECK PLACE REASON."""
        result = {}
        with open("tests/lint/exceptions") as f:
            for number, line in enumerate(f, 1):
                if line.strip() and not line.startswith("#"):
                    words = line.split(None, 2)
                    if len(words) < 3:
                        sys.exit("tests/lint/exceptions:%d: not CHECK PLACE "
                                 "REASON" % number)
                    result[(words[0], words[1])] = number
        return result

    def without_exceptions(self, check, findings):
        """FINDINGS, (place, line, sentence), without those that are meant.

        A place is FILE or FILE:NAME."""
        used = set()
        result = []
        for place, line, sentence in findings:
            name = place.split(":")[0]
            keys = [(check, place), (check, name)]
            hit = [k for k in keys if k in self.exceptions]
            if hit:
                used.add(hit[0])
            else:
                where = name + (":%d" % line if line else "")
                result.append("%s: %s" % (where, sentence))
        for key, number in self.exceptions.items():
            if key[0] == check and key not in used:
                result.append("tests/lint/exceptions:%d: %s: nothing to "
                              "except any more" % (number, key[1]))
        return result

    def code(self, *suffixes):
        return [f for f in self.files if f.split("/")[0] in CODE
                and not f.startswith(FOREIGN) and f.endswith(suffixes)]

    def text(self, path):
        if path not in self._text:
            with open(path, errors="replace") as f:
                self._text[path] = f.read()
        return self._text[path]

    def stripped(self, path):
        """The text with comments and strings blanked, lines kept."""
        def blank(match):
            text = match.group(0)
            if text[0] in "\"'":
                return text[0] + " " * (len(text) - 2) + text[0]
            return re.sub(r"[^\n]", " ", text)
        return re.sub(r'/\*.*?\*/|//[^\n]*|"(?:\\.|[^"\\\n])*"'
                      r"|'(?:\\.|[^'\\\n])*'", blank, self.text(path),
                      flags=re.S)

    def functions(self, path):
        """Definitions, found by the project's own style: the name stands in
        column 0, braces in column 0 enclose the body."""
        if path not in self._functions:
            self._functions[path] = list(self._find_functions(path))
        return self._functions[path]

    def _find_functions(self, path):
        lines = self.stripped(path).split("\n")
        current = None
        head = None
        for number, line in enumerate(lines, 1):
            if current:
                if line.startswith("}"):
                    current.end = number
                    yield current
                    current = None
                else:
                    current.body.append((number, line))
                continue
            match = re.match(r"([A-Za-z_]\w*)\(", line)
            if match:
                head = [match.group(1), number, line]
            elif head and line.startswith("{"):
                current = Function(head[0], head[1],
                                   count_params(head[2]))
                head = None
            elif head:
                head[2] += " " + line
                if ";" in line:
                    head = None


def count_params(text):
    """Parameters in TEXT, which begins with `name('."""
    depth = 0
    n = 1
    inside = ""
    for c in text[text.index("("):]:
        if c in "([{":
            depth += 1
        elif c in ")]}":
            depth -= 1
            if depth == 0:
                break
        elif c == "," and depth == 1:
            n += 1
        inside += c
    return 0 if inside[1:].strip() in ("", "void") else n
