#!/bin/sh
# SPDX-License-Identifier: Apache-2.0
# shellcheck disable=SC2317 # functions are called through check
# timeout: 90
#
# How packets are looked at: fragments by the modes of set-frags, VLAN tags
# by vlan-limit; and what a controller holds up: pause and NXT_RESUME.

# shellcheck source=tests/system/lib.sh
. "$(dirname "$0")/lib.sh"

need 'ovs-ofctl --version' 'there is no stock ovs-ofctl'

ofctl() {
    ovs-ofctl -t 10 "$@"
}

# A UDP packet to port 53 arrives at port p1; $1: no, first or later.
fragment() {
    bvs-appctl netdev-dummy/receive p1 "in_port(1),\
eth(src=50:54:00:00:00:01,dst=50:54:00:00:00:02),eth_type(0x0800),\
ipv4(src=10.0.0.1,dst=10.0.0.2,proto=17,tos=0,ttl=64,frag=$1),\
udp(src=1000,dst=53)"
}

# One with the tags 10 (outer) and 20.
tagged() {
    bvs-appctl netdev-dummy/receive p1 \
        "50540000000250540000000188a8000a810000140800$(printf \
        '45000026000000004011%s0a0000010a000002%04x%04x%04x0000' \
        66c5 1000 53 18)$(printf '%020d' 0)"
}

# The packets of the flows are $@, by cookie.
counts() {
    prints "$*" sh -c "ovs-ofctl -OOpenFlow13 dump-flows br0 |
        sed -n 's/.*cookie=\\(0x[0-9a-f]*\\).*n_packets=\\([0-9]*\\).*/\\1 \\2/p' |
        sort | cut -d' ' -f2 | tr '\\n' ' ' | sed 's/ \$//'"
}

n_sent() {
    ovs-ofctl dump-ports br0 2 | sed -n 's/.*tx pkts=\([0-9]*\),.*/\1/p'
}

anew() {
    ofctl del-flows br0 && ofctl -OOpenFlow13 add-flows br0 "$1"
}

check 'starts' start_bvs --enable-dummy --disable-system
check 'adds a bridge' bvs-vsctl add-br br0 -- set bridge br0 \
    datapath_type=dummy fail-mode=secure \
    -- add-port br0 p1 -- set interface p1 type=dummy ofport_request=1 \
    -- add-port br0 p2 -- set interface p2 type=dummy ofport_request=2

# Fragments: whole packets, the first and the later ones each have a rule.
cat >"$dir/frags" <<EOF
cookie=1,priority=9,udp,nw_frag=no,tp_dst=53,actions=output:2
cookie=2,priority=8,udp,nw_frag=first,tp_dst=53,actions=output:2
cookie=3,priority=7,udp,nw_frag=first,tp_dst=0,actions=output:2
cookie=4,priority=6,udp,nw_frag=later,actions=output:2
cookie=5,priority=5,ip,nw_frag=yes,actions=output:2
EOF
for mode in normal:'1 0 1 1 0' nx-match:'1 1 0 1 0' drop:'1 0 0 0 0' \
        normal:'1 0 1 1 0'; do
    check "set-frags ${mode%%:*}" ofctl set-frags br0 "${mode%%:*}"
    check "get-frags: ${mode%%:*}" prints "${mode%%:*}" ofctl get-frags br0
    anew "$dir/frags"
    fragment no
    fragment first
    fragment later
    check "${mode%%:*}: what matches" wait_until 5 counts "${mode#*:}"
done
refuses 'set-frags reassemble' 'support mode' \
    ofctl set-frags br0 reassemble

# Tags that are beyond the limit are the packet's type.
cat >"$dir/tags" <<EOF
cookie=1,priority=9,dl_vlan=10,ip,nw_dst=10.0.0.2,actions=output:2
cookie=2,priority=8,dl_vlan=10,dl_type=0x8100,actions=output:2
cookie=3,priority=7,vlan_tci=0,dl_type=0x88a8,actions=output:2
cookie=4,priority=0,actions=output:2
EOF
for limit in 2:'1 0 0 0' 1:'0 1 0 0' 2:'1 0 0 0'; do
    bvs-vsctl set Open_vSwitch . "other_config:vlan-limit=${limit%%:*}"
    anew "$dir/tags"
    tagged
    check "vlan-limit ${limit%%:*}" wait_until 5 counts "${limit#*:}"
done

# Held up in table 0, the packet goes on with all that it had.
cat >"$dir/pause" <<EOF
cookie=1,table=0,actions=push_vlan:0x8100,set_field:7->reg0,push:reg0[],controller(pause,userdata=01.02.03),pop:reg1[],resubmit(,1)
cookie=2,table=1,reg0=7,reg1=7,dl_vlan=0,actions=output:2
cookie=3,table=1,priority=0,actions=drop
EOF
anew "$dir/pause"
before=$(n_sent)
fragment no
check 'pause: nobody resumes it' wait_until 5 counts '1 0 0'
start_daemon monitor ovs-ofctl monitor br0 resume -P nxt_packet_in2 \
    --unixctl="$OVS_RUNDIR/monitor.ctl"
wait_until 10 test -S "$OVS_RUNDIR/monitor.ctl"
fragment no
check 'pause: the controller hears of it' wait_until 10 grep -q \
    'userdata=01.02.03' "$dir/monitor.log"
check 'NXT_RESUME: it goes on' wait_until 10 counts '2 1 0'
check 'NXT_RESUME: and out' prints $((before + 1)) n_sent
check 'the daemon ends' stop_bvs
finish
