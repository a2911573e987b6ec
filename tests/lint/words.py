# SPDX-License-Identifier: Apache-2.0
"""Words and lines that must, or must not, be in a file."""

import os
import re

# Spelled so that this file does not find itself.
LEFT_OVER = re.compile(r"\b(TO" r"DO|FIX" r"ME|XX" r"X)\b|\bnot "
                       r"implemented\b|^\s*#\s*if\s+0\b", re.M)
BINARY = (".pcap", ".pcapng", ".png", ".o", ".gz", ".db")
LINK = re.compile(r"\]\(([^)#\s]+)(?:#[^)]*)?\)")


def check_left_over(tree):
    for path in tree.files:
        if path.endswith(BINARY):
            continue
        text = tree.text(path)
        for match in LEFT_OVER.finditer(text):
            line = text.count("\n", 0, match.start()) + 1
            yield path, line, "left over: %s" % match.group(0).strip()


def check_licence(tree):
    for path in tree.code(".c", ".h", ".def", ".sh", ".py", ".mk", "/run"):
        head = tree.text(path).split("\n")[:3]
        if path.endswith((".c", ".h")):
            head = head[:1]
        if not any("SPDX-License-Identifier: Apache-2.0" in h for h in head):
            yield path, 1, "the line SPDX-License-Identifier: Apache-2.0 " \
                "is missing"


def check_comments(tree):
    """Comments are /* */."""
    for path in tree.code(".c", ".h", ".def"):
        # Blank strings and block comments, keep `//'.
        text = re.sub(r'/\*.*?\*/|"(?:\\.|[^"\\\n])*"',
                      lambda m: re.sub(r"[^\n]", " ", m.group(0)),
                      tree.text(path), flags=re.S)
        for number, line in enumerate(text.split("\n"), 1):
            if "//" in line:
                yield path, number, "a // comment"


def check_links(tree):
    """What a page links to is there."""
    for path in tree.files:
        if not path.endswith(".md"):
            continue
        text = tree.text(path)
        for match in LINK.finditer(text):
            target = match.group(1)
            if "://" in target or target.startswith("mailto:"):
                continue
            if not os.path.exists(os.path.join(os.path.dirname(path),
                                               target)):
                line = text.count("\n", 0, match.start()) + 1
                yield path, line, "links to %s, which is not there" % target


CHECKS = [("left-over", check_left_over), ("licence", check_licence),
          ("comments", check_comments), ("links", check_links)]
