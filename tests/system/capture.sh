#!/bin/sh
# SPDX-License-Identifier: Apache-2.0
# shellcheck disable=SC2317 # functions are called through check
# timeout: 120
#
# The command capture: what is written, as tshark reads it; which packets; live
# from a pipe; that it ends with its reader; captures of the daemon's own.

# shellcheck source=tests/system/lib.sh
. "$(dirname "$0")/lib.sh"

need 'tshark --version' 'there is no tshark'
need 'ovs-appctl --version' 'there is no stock ovs-appctl'

appctl() {
    ovs-appctl -T 20 -t "$OVS_RUNDIR/ovs-vswitchd.$(bvs_pid).ctl" "$@"
}

# Port $1 receives a UDP packet to port $2.
receive() {
    bvs-appctl -T 10 netdev-dummy/receive "$1" "in_port(1),\
eth(src=50:54:00:00:00:01,dst=50:54:00:00:00:02),eth_type(0x0800),\
ipv4(src=10.0.0.1,dst=10.0.0.2,proto=17,tos=0,ttl=64,frag=no),\
udp(src=1000,dst=$2)"
}

# Of each packet of the file $1: interface, port, comment.
show() {
    tshark -n -r "$1" -T fields -e frame.interface_name -e udp.dstport \
        -e frame.comment 2>/dev/null
}

# The ports to which packets of the file went.
ports() {
    show "$1" | cut -f 2 | tr '\n' ' ' | sed 's/ $//'
}

is_looking() {
    appctl capture/show | grep -q "$1"
}

is_idle() {
    prints '' appctl capture/show
}

# A capture into $dir/$1.pcapng with the options that follow, of the packets
# that all() sends; it ends when all were seen.
all() {
    for i in 53 54 55 56; do
        receive p1 "$i"
    done
    receive p2 57
}
captures() {
    name=$1
    shift
    bvs-appctl capture br0 "$@" -w "$dir/$name.pcapng" 2>"$dir/$name.said" &
    capture_pid=$!
    wait_until 10 is_looking br0 || return 1
    all
    appctl capture/stop br0 || return 1
    wait "$capture_pid" && cat "$dir/$name.said" && wait_until 10 is_idle
}

check 'starts' start_bvs --enable-dummy --disable-system
check 'bridge' bvs-vsctl -t 10 add-br br0 \
    -- set bridge br0 datapath_type=dummy fail-mode=secure \
    -- add-port br0 p1 -- set interface p1 type=dummy ofport_request=1 \
    -- add-port br0 p2 -- set interface p2 type=dummy ofport_request=2
cat >"$dir/flows" <<END
table=0,priority=2,cookie=0x5,in_port=1,udp actions=goto_table:3
table=0,priority=1,cookie=0x6 actions=output:1
table=3,priority=3,cookie=0x71,udp,tp_dst=53 actions=output:2
table=3,priority=3,cookie=0x72,udp,tp_dst=54 actions=drop
table=3,priority=3,cookie=0x73,udp,tp_dst=55 actions=dec_ttl,output:2
END
check 'flows' ovs-ofctl -OOpenFlow13 add-flows br0 "$dir/flows"

check 'captures' captures all
check 'says how many' grep -qx '5 packets captured, 0 lost' "$dir/all.said"
check 'all packets' prints '53 54 55 56 57' ports "$dir/all.pcapng"
wanted() {
    printf 'p1\t53\tport 1 (p1); table 0 cookie 0x5, table 3 cookie 0x71; %s\n' \
        'output to 2 (p2)'
    printf 'p1\t54\tport 1 (p1); table 0 cookie 0x5, table 3 cookie 0x72; %s\n' \
        "dropped in table 3, cookie 0x72, action: the rule's actions output \
nowhere"
    printf 'p1\t55\tport 1 (p1); table 0 cookie 0x5, table 3 cookie 0x73; %s\n' \
        'output to 2 (p2)'
    printf 'p1\t56\tport 1 (p1); table 0 cookie 0x5, table 3; %s\n' \
        'dropped in table 3, table_miss: no rule matched'
    printf 'p2\t57\tport 2 (p2); table 0 cookie 0x6; output to 1 (p1)\n'
}
wanted >"$dir/want"
says_all() {
    show "$dir/all.pcapng" | diff "$dir/want" -
}
check 'interfaces, tables, cookies and verdicts' says_all

check '--port' captures port --port p2
check 'only that port' prints '57' ports "$dir/port.pcapng"
check '--table' captures table --table 3
check 'only that table' prints '53 54 55 56' ports "$dir/table.pcapng"
check '--cookie' captures cookie --cookie 0x72
check 'only that cookie' prints '54' ports "$dir/cookie.pcapng"
check '--cookie with mask' captures mask --cookie 0x70/0xf0
check 'only those cookies' prints '53 54 55' ports "$dir/mask.pcapng"
check '--dropped' captures dropped --dropped
check 'only drops' prints '54 56' ports "$dir/dropped.pcapng"
check '--filter' captures filter --filter 'udp dst port 55 or udp dst port 56'
check 'only what the filter lets pass' prints '55 56' \
    ports "$dir/filter.pcapng"
check 'several conditions' captures several --dropped --filter 'udp port 54' \
    --port 1 --table 3
check 'all hold' prints '54' ports "$dir/several.pcapng"
check '--snaplen' captures snap --snaplen 20
lengths() {
    tshark -n -r "$1" -T fields -e frame.cap_len 2>/dev/null | sort -u
}
check 'cuts packets' prints 20 lengths "$dir/snap.pcapng"

check '--sent' captures sent --sent --port p2
check 'both directions of a port' prints '53 55 57' ports "$dir/sent.pcapng"
ttls() {
    tshark -n -r "$1" -T fields -e ip.ttl \
        -e frame.packet_flags_direction 2>/dev/null | sed 's/0x0*//' | tr '\t\n' ': '
}
check 'as they leave' prints '64:2 63:2 64:1 ' ttls "$dir/sent.pcapng"

# Live: tshark's output says that the packet has come while all still run.
live() {
    bvs-appctl capture br0 -w - 2>"$dir/live.said" |
        tshark -n -l -i - -T fields -e udp.dstport >"$dir/live" 2>/dev/null &
    at_exit "kill $!"
    wait_until 20 is_looking br0 || return 1
    receive p1 53
    wait_until 20 grep -qx 53 "$dir/live"
    receive p1 54
    wait_until 20 grep -qx 54 "$dir/live"
}
check 'tshark reads it live' live
appctl capture/stop br0 >"$dir/stopped" 2>&1
check 'and its end' wait_until 10 is_idle

# A reader that goes ends the capture, without a packet.
leaves() {
    mkfifo "$dir/pipe"
    bvs-appctl capture br0 -w - >"$dir/pipe" 2>&1 &
    writer=$!
    exec 9<"$dir/pipe"
    wait_until 10 is_looking br0 || return 1
    exec 9<&-
    wait_until 10 is_idle && wait_gone 10 "$writer"
}
check 'ends with its reader' leaves
killed() {
    bvs-appctl capture br0 -w /dev/null 2>&1 &
    writer=$!
    wait_until 10 is_looking br0 || return 1
    kill -9 "$writer"
    wait_until 10 is_idle
}
check 'ends with bvs-appctl' killed
rm -f "$OVS_RUNDIR"/capture.*.sock

# The stock tool: the daemon writes.
counted() {
    appctl capture br0 --count 2 -w "$dir/own.pcapng" >"$dir/own.said" &
    capture_pid=$!
    wait_until 10 is_looking own.pcapng || return 1
    all
    wait "$capture_pid" && prints '2 packets captured, 0 lost' \
        cat "$dir/own.said"
}
check '--count' counted
check 'ends by itself' prints '53 54' ports "$dir/own.pcapng"
check '--seconds' prints '0 packets captured, 0 lost' \
    appctl capture br0 --seconds 1 -w "$dir/none.pcapng"
check 'a capture without packets is one' prints '' ports "$dir/none.pcapng"
check 'goes on until it is stopped' appctl capture br0 -w "$dir/bg.pcapng"
check 'is shown' is_looking "br0 to $dir/bg.pcapng"
check 'ends with its bridge' bvs-vsctl -t 10 del-br br0
check 'and is gone' wait_until 10 is_idle

check 'bridge again' bvs-vsctl -t 10 add-br br0 \
    -- set bridge br0 datapath_type=dummy
refuses 'no bridge' 'unknown bridge' appctl capture br1 -w /dev/null
refuses 'no file' '-w FILE is missing' appctl capture br0 --dropped
refuses 'relative names' 'absolute' appctl capture br0 -w file
refuses 'wrong filters' "filter 'foo bar'" \
    bvs-appctl capture br0 --filter 'foo bar' -w /dev/null
refuses 'wrong ports' 'not a value' appctl capture br0 --port p9 -w /dev/null
refuses 'wrong tables' 'not a value' appctl capture br0 --table 255 -w /dev/null
refuses 'wrong cookies' 'not a value' \
    appctl capture br0 --cookie 1/x -w /dev/null
refuses 'unknown options' 'unknown option' \
    bvs-appctl capture br0 --cookies 1 -w /dev/null
refuses 'nothing to stop' 'no such capture' appctl capture/stop br0
check 'stops while it captures' sh -c "
    bvs-appctl capture br0 -w $dir/end.pcapng 2>/dev/null & sleep 0"
check 'exits' stop_bvs
finish
