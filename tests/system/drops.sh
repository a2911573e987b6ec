#!/bin/sh
# SPDX-License-Identifier: Apache-2.0
# shellcheck disable=SC2317 # functions are called through check
# timeout: 120
#
# drop/show: each reason's packets, the headers of the last one, and that
# coverage counters and the statistics of interfaces agree to the packet.

if [ -z "${BVS_INSIDE:-}" ] && [ "$(id -u)" = 0 ]; then
    BVS_INSIDE=1 exec unshare --net "$0"
fi

# shellcheck source=tests/system/lib.sh
. "$(dirname "$0")/lib.sh"
need is_root "needs root, for a device that does not send"

# Port p1 receives $2 UDP packets to port $1.
receive() {
    i=0
    while [ "$i" -lt "$2" ]; do
        bvs-appctl -T 10 netdev-dummy/receive p1 "in_port(1),\
eth(src=50:54:00:00:00:01,dst=50:54:00:00:00:02),eth_type(0x0800),\
ipv4(src=10.0.0.1,dst=10.0.0.$i,proto=17,tos=0,ttl=64,frag=no),\
udp(src=1000,dst=$1)" || return 1
        i=$((i + 1))
    done
}

# rows EXPRESSION: of the rows of drop/show r, one a line.
rows() {
    bvs-appctl -T 10 drop/show br0 --json | /usr/bin/python3 -c "
import json, sys
for r in sorted(json.load(sys.stdin)['drops'],
                key=lambda r: (r['reason'], r['cookie'])):
    last = r.get('last', {})
    print($1)"
}
total() {
    bvs-appctl -T 10 drop/show br0 --json | /usr/bin/python3 -c "
import json, sys
print(sum(r['packets'] for r in json.load(sys.stdin)['drops']
          if r['reason'] $1))"
}
counter() {
    bvs-appctl -T 10 coverage/read-counter "$1"
}
all_counters() {
    sum=0
    for i in drop_action_of_pipeline drop_action_recursion_too_deep \
        drop_action_too_many_resubmit drop_action_stack_too_deep \
        drop_action_too_many_mpls_labels drop_action_unsupported_packet_type \
        drop_action_congestion drop_action_forwarding_disabled \
        datapath_drop_meter datapath_drop_invalid_port \
        datapath_drop_rx_invalid_packet datapath_drop_upcall_error \
        datapath_drop_program_error datapath_drop_port_state; do
        sum=$((sum + $(counter "$i")))
    done
    echo "$sum"
}
statistics() {
    bvs-vsctl -t 10 get interface "$1" "statistics:$2"
}

check 'starts' start_bvs --enable-dummy
ip link set lo up
ip link add v1 type veth peer name v2
check 'bridge' bvs-vsctl -t 10 add-br br0 \
    -- set bridge br0 datapath_type=dummy fail-mode=secure \
    -- add-port br0 p1 -- set interface p1 type=dummy ofport_request=1 \
    -- add-port br0 p2 -- set interface p2 type=dummy ofport_request=2 \
    -- add-port br0 v1 -- set interface v1 ofport_request=3 \
    -- set open_vswitch . other_config:stats-update-interval=100
check 'meter' ovs-ofctl -OOpenFlow13 add-meter br0 \
    meter=1,pktps,burst,bands=type=drop,rate=1,burst_size=1
cat >"$dir/flows" <<END
cookie=0xa0,udp,tp_dst=1 actions=drop
cookie=0xb0,udp,tp_dst=2 actions=goto_table:5
cookie=0xc0,udp,tp_dst=3 actions=set_field:1->reg0
cookie=0xd0,udp,tp_dst=4 actions=output:77
cookie=0xe0,udp,tp_dst=5 actions=output:1
cookie=0xf0,udp,tp_dst=6 actions=output:2
cookie=0x11,udp,tp_dst=7 actions=meter:1,output:2
cookie=0x12,udp,tp_dst=8 actions=output:3
END
check 'flows' ovs-ofctl -OOpenFlow13 add-flows br0 "$dir/flows"

receive 1 5
receive 2 4
receive 3 3
receive 4 2
receive 5 6
receive 6 7
cat >"$dir/want" <<END
action 0 0xa0 5
action 0 0xc0 3
in_port 0 0xe0 6
no_port 0 0xd0 2
table_miss 5 0 4
END
says() {
    rows "r['reason'], r['table'], r['cookie'], r['packets']" |
        diff "$dir/want" -
}
check 'reasons, tables, cookies and packets' says

# What the last packet of each was.
cat >"$dir/want-last" <<END
action 1 106 tp_dst=1 nw_dst=10.0.0.4
action 1 106 tp_dst=3 nw_dst=10.0.0.2
in_port 1 106 tp_dst=5 nw_dst=10.0.0.5
no_port 1 106 tp_dst=4 nw_dst=10.0.0.1
table_miss 1 106 tp_dst=2 nw_dst=10.0.0.3
END
says_last() {
    rows "r['reason'], last['in_port'], last['size'], *(f for w in
('tp_dst', 'nw_dst') for f in last['flow'].split(',') if f.startswith(w))" |
        diff "$dir/want-last" -
}
check 'headers of the last ones' says_last
bytes() {
    rows "last['headers'] if r['cookie'] == '0xc0' else ''" | grep -qx \
        '505400000002505400000001080045[0-9a-f]*0a0000010a00000203e80003[0-9a-f]*'
}
check 'their bytes' bytes
as_text() {
    bvs-appctl -T 10 drop/show br0 | grep -A1 ' 0xc0  action:' |
        grep -q 'last: 106 bytes, .* s ago: udp,in_port=1,.*,tp_dst=3'
}
check 'as text' as_text

# To the packet.
agrees() {
    [ "$(counter "$1")" = "$(total "$2")" ]
}
check 'pipeline drops' wait_until 10 agrees drop_action_of_pipeline \
    "in ('action', 'table_miss', 'ttl', 'in_port')"
check 'ports that are not there' wait_until 10 agrees \
    datapath_drop_invalid_port "== 'no_port'"
receive 7 9
check 'meters drop' test "$(total "== 'meter'")" -ge 1
check 'are counted' wait_until 10 agrees datapath_drop_meter "== 'meter'"

# A device that is down takes nothing.
receive 8 5
check 'what a device that is down does not take' prints 5 \
    total "== 'port_down'"
check 'is not forwarded' wait_until 10 agrees \
    drop_action_forwarding_disabled "== 'port_down'"

check 'closes the port' ovs-ofctl mod-port br0 p1 no-receive
receive 1 3
check 'what a port does not receive' prints 3 total "== 'no_recv'"
check 'is its state' wait_until 10 agrees datapath_drop_port_state \
    "== 'no_recv'"

all_agree() {
    [ "$(all_counters)" = "$(total '!= ""')" ]
}
check 'all counters, all rows' wait_until 10 all_agree
# Received = sent + dropped.
balances() {
    [ "$(statistics p1 rx_packets)" = \
        $(($(statistics p2 tx_packets) + $(total '!= ""'))) ]
}
check "interfaces' statistics balance" wait_until 10 balances
check 'received' prints 44 statistics p1 rx_packets
check 'stops' stop_bvs
finish
