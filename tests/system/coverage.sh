#!/bin/sh
# SPDX-License-Identifier: Apache-2.0
# timeout: 60
#
# bvs-replay --coverage and --coverage-html: which rules a capture hit, and a
# page that is well formed and needs nothing else.
#
# shellcheck disable=SC2317 # functions are called through check

# shellcheck source=tests/system/lib.sh
. "$(dirname "$0")/lib.sh"

policy=$TOP/tests/demo/policy
cd "$dir" || exit 1

cat >flows.txt <<'EOF'
table=0,cookie=0x1,priority=9,arp actions=NORMAL
table=0,cookie=0x2,priority=5,in_port=1 actions=goto_table:1
table=0,cookie=0x3,priority=4,in_port=2 actions=resubmit(,2)
table=1,cookie=0xb,priority=9,tcp,tp_dst=80 actions=drop
table=1,cookie=0xc,priority=8,udp,tp_dst=53 actions=group:1
table=1,cookie=0xc,priority=7,sctp actions=write_actions(output:2)
table=2,priority=1,icmp actions=output:1,CONTROLLER
EOF
echo 'group_id=1,type=all,bucket=output:2' >groups.txt

replay() {
    bvs-replay --flows flows.txt --groups groups.txt \
        --in 1="$policy/client.pcap" --in 2="$policy/server.pcap" "$@" >out
}
says() {
    grep -qxF -- "$1" out || {
        cat out
        return 1
    }
}
well_formed() {
    /usr/bin/python3 - "$1" <<'EOF'
import re, sys
import xml.etree.ElementTree as ET
from html.parser import HTMLParser

text = open(sys.argv[1]).read()

class Page(HTMLParser):
    VOID = {'meta'}
    def __init__(self):
        super().__init__()
        self.open, self.ids, self.links, self.rows = [], set(), [], 0
    def handle_starttag(self, tag, attrs):
        if tag not in self.VOID:
            self.open.append(tag)
        attrs = dict(attrs)
        self.ids.add(attrs.get('id'))
        self.links.append(attrs.get('href', '#')[1:])
        assert not {'src', 'onload', 'onclick'} & set(attrs), attrs
        assert tag not in ('script', 'link', 'img', 'iframe'), tag
        self.rows += tag == 'tr'
    def handle_startendtag(self, tag, attrs):
        pass
    def handle_endtag(self, tag):
        assert self.open.pop() == tag, tag

page = Page()
page.feed(text)
page.close()
assert not page.open, page.open
assert 'http' not in text and 'url(' not in text and '@import' not in text
assert all(l in page.ids for l in page.links if l), page.links
assert page.rows == 3 + 7, page.rows        # Heads and rules.

svg = ET.fromstring(re.search('<svg.*?</svg>', text, re.S)[0])
width, height = float(svg.get('width')), float(svg.get('height'))
rects = [r for r in svg.iter('rect') if r.get('rx')]
for r in rects:
    x, y, w, h = (float(r.get(k)) for k in ('x', 'y', 'width', 'height'))
    assert x >= 0 and y >= 0 and x + w <= width and y + h <= height
    for s in rects:
        if s is not r:
            X, Y, W, H = (float(s.get(k)) for k in
                          ('x', 'y', 'width', 'height'))
            assert x >= X + W or X >= x + w or y >= Y + H or Y >= y + h
titles = {p[0].text: float(p.get('stroke-width')) for p in svg.iter('path')}
by_packets = sorted((int(t.split(': ')[1].split()[0]), w)
                    for t, w in titles.items())
assert [w for _, w in by_packets] == sorted(w for _, w in by_packets)
print('\n'.join(titles))
EOF
}
arrow() {
    if ! well_formed page.html >arrows || ! grep -qxF -- "$1" arrows; then
        cat arrows
        return 1
    fi
}

check runs replay --coverage --coverage-html=page.html --out 1=out.1.pcap
n=$(sed -n 's/^port 1: \([0-9]*\) packets.*/\1/p' out)
arps=$(sed -n 's/^ *\([0-9]*\)  cookie=0x1,.*/\1/p' out)
first=$(sed -n 's/^ *\([0-9]*\)  cookie=0x2,.*/\1/p' out)
web=$(sed -n 's/^ *\([0-9]*\)  cookie=0xb,.*/\1/p' out)
check summary grep -q '^coverage of [a-z0-9]*: [1-6] of 7 rules hit, [1-6] never$' out
check some-were-hit [ "${first:-0}" -gt 0 ]
check never says '       never  cookie=0xc,priority=7,sctp actions=write_actions(output:2)'
check lookups grep -q "^table 1: . of 3 rules hit; $first lookups" out
check page well_formed page.html
check arrow-in arrow "p1 to table 0: $n packets"
check arrow-goto arrow "table 0 to table 1: $first packets"
check arrow-normal grep -q '^table 0 to NORMAL: ' arrows
check arrow-nobody arrow "table 1 to group 1: 0 packets"
check row-drops grep -q \
    "<td class=\"n dr\">${web:-x}</td><td class=\"n\"><code>0xb</code>" page.html
check arps [ -n "${arps:-}" ]

# The same in every run, and nothing without the option.
check again replay --coverage --coverage-html=page2.html
check same cmp page.html page2.html
check without replay
check nothing sh -c '! grep -q coverage out'

check unwritable sh -c 'bvs-replay --flows flows.txt --groups groups.txt \
    --in 1="'"$policy"'/client.pcap" --coverage-html=none/page.html \
    2>&1 >/dev/null | grep -q "none/page.html: cannot be written"'
finish
