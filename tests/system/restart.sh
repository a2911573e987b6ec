#!/bin/sh
# SPDX-License-Identifier: Apache-2.0
# shellcheck disable=SC2317 # functions are called through check
# timeout: 240
#
# What stays when the switch ends and starts again: devices of internal ports
# with their addresses and routes; flows and groups, as ovs-save has them; after
# a crash, with --monitor, ports and configuration.

if [ -z "${BVS_INSIDE:-}" ] && [ "$(id -u)" = 0 ]; then
    BVS_INSIDE=1 exec unshare --net "$0"
fi

# shellcheck source=tests/system/lib.sh
. "$(dirname "$0")/lib.sh"
need is_root "needs root, for network namespaces"
ip link set lo up

vsctl() {
    bvs-vsctl -t 30 "$@"
}

mac() {
    ip -o link show int0 | sed -n 's/.*link.ether \([^ ]*\) .*/\1/p'
}

routes() {
    ip route show dev int0 | sed 's/ linkdown//; s/ *$//'
}

check 'starts' start_bvs
check 'adds an internal port' vsctl add-br br0 \
    -- set bridge br0 datapath_type=netdev \
    -- add-port br0 int0 -- set interface int0 type=internal
check 'show names the engine' \
    sh -c 'bvs-vsctl show | grep "datapath: \"bvs .*native code\""'
ip addr add 10.9.0.1/24 dev int0
ip link set int0 up
ip route add 10.10.0.0/16 via 10.9.0.2 dev int0
before=$(mac)
route=$(routes)

exits() {
    left=$(bvs_pid)
    bvs-appctl -T 10 exit && wait_gone 10 "$left"
}
check 'exits' exits
check 'the device is there' prints "$before" mac
check 'with its routes' prints "$route" routes
check 'starts again' start_bvs
check 'and takes the device over' prints "$before" mac
check 'with its routes still' prints "$route" routes
works() {
    ip route get 10.10.0.1 | grep -q 'dev int0' &&
        vsctl get interface int0 error | grep -qF '[]'
}
check 'it is a port without an error' wait_until 10 works
vsctl del-port br0 int0
no_device() {
    ! ip link show "$1" 2>/dev/null
}
check 'a port that is deleted takes its device along' \
    wait_until 10 no_device int0
cleans_up() {
    cleaned=$(bvs_pid)
    bvs-appctl -T 10 exit --cleanup && wait_gone 10 "$cleaned"
}
check 'exits with --cleanup' cleans_up
check 'which leaves no device' no_device br0

## Flows, as ovs-ctl's restart saves and restores them.

ovs_save=/usr/share/openvswitch/scripts/ovs-save
need "test -f $ovs_save" 'there is no ovs-save'
receive() {
    bvs-appctl -T 10 netdev-dummy/receive d1 "in_port(1),eth(src=\
50:54:00:00:00:01,dst=50:54:00:00:00:02),eth_type(0x0800),ipv4(src=10.0.0.1,\
dst=10.0.0.2,proto=17,tos=0,ttl=64,frag=no),udp(src=1,dst=2)"
}
sent() {
    bvs-vsctl -t 10 get interface d2 statistics:tx_packets
}
flows() {
    ovs-ofctl -OOpenFlow14 --no-stats dump-flows br1 | sort
    ovs-ofctl -OOpenFlow14 dump-groups br1 | sed 's/^.*xid=[^:]*://'
}
check 'starts with dummies' start_bvs --enable-dummy
check 'adds a bridge with flows' vsctl add-br br1 \
    -- set bridge br1 datapath_type=dummy \
    -- set open_vswitch . other_config:stats-update-interval=100 \
    -- add-port br1 d1 -- set interface d1 type=dummy ofport_request=11 \
    -- add-port br1 d2 -- set interface d2 type=dummy ofport_request=12
cat >"$dir/flows" <<END
group add group_id=7,type=all,bucket=actions=output:12
flow add cookie=0x77,priority=5,in_port=11,udp actions=goto_table:3
flow add table=3,cookie=0x78,udp,nw_dst=10.0.0.0/8 actions=group:7
END
check 'flows and a group' ovs-ofctl -OOpenFlow14 bundle br1 "$dir/flows"
flows >"$dir/before"
check 'ovs-save' sh -c "sh $ovs_save save-flows br1 >$dir/restore"
vsctl set open_vswitch . other_config:flow-restore-wait=true
check 'exits' exits
check 'starts, and waits for its flows' start_bvs --enable-dummy
receive
is_held() {
    bvs-appctl -T 10 drop/show br1 | grep -q 'flow-restore-wait'
}
check 'holds packets' is_held
check 'its flows are restored' sh "$dir/restore"
same_flows() {
    flows | diff "$dir/before" -
}
check 'as they were' same_flows
vsctl remove open_vswitch . other_config flow-restore-wait
receive
has_sent() {
    [ "$(sent)" = 1 ]
}
check 'forwards again' wait_until 10 has_sent
numbers() {
    vsctl --columns=name,ofport --format=csv --no-headings list interface |
        sort
}
numbers >"$dir/numbers"
check 'stops' stop_bvs

## A crash.

check 'starts with a monitor' start_bvs --enable-dummy --monitor
first=$(bvs_pid)
monitor=$(ps -o ppid= -p "$first" | tr -d ' ')
at_exit "end_process $monitor"
kill -ABRT "$first"
crashed=$(now_ms)
is_back() {
    [ "$(bvs_pid)" != "$first" ] && bvs-appctl -T 1 version &&
        ovs-ofctl -t 2 show br1
}
check 'is back after a crash' wait_until 20 is_back
echo "# back after $(($(now_ms) - crashed)) ms"
same_numbers() {
    numbers | diff "$dir/numbers" -
}
check 'with its ports and their numbers' same_numbers
ovs-ofctl add-flow br1 in_port=11,actions=12
receive
check 'and forwards' wait_until 10 has_sent
check 'ends for good' stop_bvs
check 'so does its monitor' wait_gone 10 "$monitor"

finish
