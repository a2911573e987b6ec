#!/bin/sh
# SPDX-License-Identifier: Apache-2.0
# shellcheck disable=SC2317 # functions are called through check
# timeout: 120
#
# pipeline/profile: cycles by table and rule, folded stacks, and a flame graph
# that is well-formed.

# shellcheck source=tests/system/lib.sh
. "$(dirname "$0")/lib.sh"
need 'ovs-appctl --version' 'there is no stock ovs-appctl'

appctl() {
    ovs-appctl -T 20 -t "$OVS_RUNDIR/ovs-vswitchd.$(bvs_pid).ctl" "$@"
}
receive() {
    bvs-appctl -T 10 netdev-dummy/receive p1 "in_port(1),\
eth(src=50:54:00:00:00:01,dst=50:54:00:00:00:02),eth_type(0x0800),\
ipv4(src=10.0.0.1,dst=10.0.0.2,proto=17,tos=0,ttl=64,frag=no),\
udp(src=1000,dst=$1)"
}

# Packets come until the command has ended.
profiles() {
    appctl pipeline/profile br0 4 --sample 1 --folded "$dir/folded" \
        --svg "$dir/svg" >"$dir/table" 2>&1 &
    command=$!
    while ! is_gone "$command"; do
        receive 53
        receive 54
    done
    wait "$command"
}

check 'starts' start_bvs --enable-dummy --disable-system
check 'bridge' bvs-vsctl -t 10 add-br br0 \
    -- set bridge br0 datapath_type=dummy fail-mode=secure \
    -- add-port br0 p1 -- set interface p1 type=dummy ofport_request=1 \
    -- add-port br0 p2 -- set interface p2 type=dummy ofport_request=2
cat >"$dir/flows" <<END
cookie=0x5,priority=7,in_port=1,udp actions=goto_table:3
table=3,cookie=0x71,udp,tp_dst=53 actions=output:2
table=3,cookie=0x72,udp,tp_dst=54 actions=drop
END
check 'flows' ovs-ofctl -OOpenFlow13 add-flows br0 "$dir/flows"

check 'profiles' profiles
looked_at() {
    [ "$(sed -n 's/^br0: \([0-9]*\) packets.*/\1/p' "$dir/table")" -gt 1 ]
}
check 'packets' looked_at
for i in 'parse' 'table 0' 'table 3' \
    'table=0,cookie=0x5,priority=7,udp,in_port=1' \
    'table=3,cookie=0x71,udp,tp_dst=53' 'table=3,cookie=0x72,udp,tp_dst=54'; do
    check "names $i" grep -q "% .*  $i\$" "$dir/table"
done
shares() {
    sed -n 's/^ *\([0-9.]*\)% .*/\1/p' "$dir/table" |
        awk '{ n += $1 } END { exit !(n > 98 && n < 102) }'
}
check 'shares are of all' shares

path='br0;parse;table 0;table=0,cookie=0x5,priority=7,udp,in_port=1;table 3'
check 'folded stacks' grep -qE \
    "^$path;table=3,cookie=0x71,udp,tp_dst=53 [0-9]+\$" "$dir/folded"
check 'nothing else in them' sh -c "! grep -vqE '^br0(;[^;]+)+ [0-9]+\$' \
    $dir/folded"
draws() {
    /usr/bin/python3 - "$dir/svg" <<'PYTHON'
import sys
import xml.etree.ElementTree as ET

svg = "{http://www.w3.org/2000/svg}"
root = ET.parse(sys.argv[1]).getroot()
assert root.tag == svg + "svg", root.tag
bars = {}
for g in root.iter(svg + "g"):
    rect = g.find(svg + "rect")
    bars[g.find(svg + "title").text.split(": ")[0]] = (
        float(rect.get("x")), float(rect.get("y")), float(rect.get("width")))
first = bars["br0"]
assert first[2] > 1100, first
a = bars["table=3,cookie=0x71,udp,tp_dst=53"]
b = bars["table=3,cookie=0x72,udp,tp_dst=54"]
below = bars["table 3"]
assert a[1] == b[1] < below[1] < first[1], (a, b, below)
assert a[0] >= below[0] and a[0] + a[2] <= below[0] + below[2] + 1
assert a[0] + a[2] <= b[0] + 1 or b[0] + b[2] <= a[0] + 1, (a, b)
PYTHON
}
check 'a flame graph' draws
check 'to the answer' sh -c "ovs-appctl -t \
    $OVS_RUNDIR/ovs-vswitchd.$(bvs_pid).ctl pipeline/profile br0 1 --svg - |
    grep -q '^<svg '"
refuses 'no bridge' 'unknown bridge' appctl pipeline/profile br1 1
refuses 'no time' 'number of seconds' appctl pipeline/profile br0 0
refuses 'relative names' 'absolute' appctl pipeline/profile br0 1 --svg x
refuses 'no value' 'has no value' appctl pipeline/profile br0 1 --svg
refuses 'what it cannot write' 'cannot be written' \
    appctl pipeline/profile br0 1 --svg /nowhere/x
check 'stops' stop_bvs
finish
