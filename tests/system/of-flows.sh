#!/bin/sh
# SPDX-License-Identifier: Apache-2.0
# shellcheck disable=SC2317 # functions are called through check
# timeout: 120
#
# Stock ovs-vsctl and ovs-ofctl against the daemon: flows of each version of
# OpenFlow, bundles, packet-ins, packet-outs, timeouts, ports.  Time stands
# still but for `warp', so that counts of seconds are exact.

# shellcheck source=tests/system/lib.sh
. "$(dirname "$0")/lib.sh"

need 'ovs-ofctl --version' 'there is no stock ovs-ofctl'
need 'ovs-vsctl --version' 'there is no stock ovs-vsctl'

appctl() {
    ovs-appctl -T 10 -t "$OVS_RUNDIR/ovs-vswitchd.$(bvs_pid).ctl" "$@"
}

vsctl() {
    ovs-vsctl -t 10 "$@"
}

ofctl() {
    ovs-ofctl -t 10 "$@"
}

# Port $1 receives a UDP packet (of source port $2).
receive() {
    appctl netdev-dummy/receive "$1" "in_port(1),\
eth(src=50:54:00:00:00:01,dst=50:54:00:00:00:02),eth_type(0x0800),\
ipv4(src=10.0.0.1,dst=10.0.0.2,proto=17,tos=0,ttl=64,frag=no),\
udp(src=${2:-1000},dst=53)"
}

# Packets that port $1 has sent.
sent() {
    vsctl get interface "$1" statistics:tx_packets
}

# Packets of the flow whose dump has $1; further arguments are dump-flows'.
n_packets() {
    n_packets_of=$1
    shift
    ofctl "$@" dump-flows br0 |
        sed -n "/$n_packets_of/s/.*n_packets=\([0-9]*\),.*/\1/p"
}

# Flows without what depends on time.
flows() {
    ofctl "$@" dump-flows br0 | sed '/_FLOW reply/d
        s/duration=[^,]*, //; s/idle_age=[^,]*, //; s/n_bytes=[0-9]*, //
        s/^ *//' | sort
}

port_counts() {
    ofctl dump-ports br0 "$1" | sed -n 's/.*tx pkts=\([0-9]*\),.*/\1/p'
}

# A message matching $2 in the log of the monitor $1.
told() {
    grep -q -- "$2" "$dir/$1.log"
}

check 'starts' start_bvs --enable-dummy --disable-system
check 'adds a bridge and ports' vsctl add-br br0 \
    -- set bridge br0 datapath_type=dummy fail-mode=secure \
       protocols='[OpenFlow10,OpenFlow11,OpenFlow12,OpenFlow13,OpenFlow14,OpenFlow15]' \
    -- add-port br0 p1 -- set interface p1 type=dummy ofport_request=1 \
    -- add-port br0 p2 -- set interface p2 type=dummy ofport_request=2 \
    -- add-port br0 p3 -- set interface p3 type=dummy ofport_request=3
check 'gives the ports that were asked for' prints "$(printf '1\n2\n3')" \
    vsctl get interface p1 ofport -- get interface p2 ofport \
    -- get interface p3 ofport

## A packet

check 'adds a flow' ofctl add-flow br0 in_port=1,actions=output:2
check 'a packet arrives' receive p1
check 'the packet left port 2' wait_until 5 prints 1 port_counts 2
check 'the flow counted it' prints 1 n_packets in_port=1
check 'table 0 counted it' sh -c "ovs-ofctl dump-tables br0 |
    grep -A1 'table 0:' | grep -q 'lookup=1, matched=1'"

## Every version of OpenFlow

for v in 10 11 12 13 14 15; do
    of=-OOpenFlow$v
    # OpenFlow 1.0 sets a cookie, also with MODIFY; 1.0 and 1.1 cannot
    # reset counts.
    cookie=0x1 reset=reset_counts
    case $v in
    10) cookie=0x0 reset= ;;
    11) reset= ;;
    esac
    check "$v: deletes all flows" ofctl $of del-flows br0
    check "$v: adds a flow" ofctl $of add-flow br0 \
        'cookie=0x1,priority=7,udp,tp_src=1000,actions=2'
    receive p1 && receive p1
    check "$v: counts" wait_until 5 prints 2 n_packets tp_src=1000 $of
    check "$v: modifies it" ofctl $of mod-flows br0 'udp,actions=3'
    check "$v: shows new actions and old counts" prints \
        "cookie=$cookie, table=0, n_packets=2,\
 priority=7,udp,tp_src=1000 actions=output:3" flows $of --no-names
    n=$(port_counts 3)
    receive p1
    check "$v: obeys the new actions" wait_until 5 prints $((n + 1)) \
        port_counts 3
    check "$v: goes on counting" prints 3 n_packets tp_src=1000 $of
    [ -z "$reset" ] || {
        ofctl $of mod-flows br0 "$reset,udp,actions=2"
        check "$v: resets counts" prints 0 n_packets tp_src=1000 $of
    }
    check "$v: deletes it" ofctl $of del-flows br0 udp
    check "$v: shows none" prints '' flows $of
done

## Bundles

of=-OOpenFlow14
bundle() {
    printf '%s\n' "$@" >"$dir/bundle.txt"
    ofctl "$of" --bundle add-flows br0 "$dir/bundle.txt"
}

# What the provider applied and published since the last `log_mark', of flows
# with cookies from 0xa on (others may still be on their way out).
log_mark() {
    log_from=$(($(wc -l <"$OVS_LOGDIR/ovs-vswitchd.log") + 1))
}
applied() {
    tail -n "+$log_from" "$OVS_LOGDIR/ovs-vswitchd.log" |
        sed -n 's/.*br0: publish version .*/publish/p
            /cookie=0x1 /d
            s/.*br0: \([a-z]*\) .*cookie=\(0x[0-9a-f]*\) table=\([0-9]*\).*/\1 \2 \3/p' |
        awk 'seen || $0 != "publish" { seen = 1; print }'
}

appctl vlog/set of_hooks:file:dbg ofproto_dpif:file:dbg
ofctl del-flows br0
log_mark
check 'a bundle over two tables' bundle \
    'add cookie=0xa,table=0,in_port=1,actions=resubmit(,1)' \
    'add cookie=0xb,table=1,actions=output:2'
check 'all of it is applied, then published' wait_until 5 prints \
    "$(printf 'insert 0xa 0\ninsert 0xb 1\npublish')" applied
n=$(port_counts 2)
receive p1
check 'the bundle forwards' wait_until 5 prints $((n + 1)) port_counts 2

log_mark
check 'a bundle that replaces, deletes and adds' bundle \
    'add cookie=0xc,table=0,in_port=1,actions=resubmit(,2)' \
    'delete table=1' \
    'add cookie=0xd,table=2,actions=output:3'
check 'its changes come in order, old rules go last' wait_until 5 prints \
    "$(printf '%s\n' 'hide 0xa 0' 'insert 0xc 0' 'hide 0xb 1' \
        'insert 0xd 2' publish 'delete 0xa 0' 'delete 0xb 1')" applied
n=$(port_counts 3)
receive p1
check 'it forwards' wait_until 5 prints $((n + 1)) port_counts 3

# The table is full at the third message, so the first two are reverted.
vsctl -- --id=@t create Flow_Table flow_limit=1 \
    -- set bridge br0 flow_tables:3=@t >"$dir/out"
log_mark
refuses 'a bundle that fails' OFPFMFC_TABLE_FULL bundle \
    'add cookie=0xe,table=0,in_port=1,actions=drop' \
    'delete table=2' \
    'add cookie=0xf,table=3,in_port=1,actions=drop' \
    'add cookie=0x10,table=3,in_port=2,actions=drop'
check 'nothing of it is applied' prints '' applied
n=$(port_counts 3)
receive p1
check 'the old flows still forward' wait_until 5 prints $((n + 1)) \
    port_counts 3
check 'the old flows still count' prints 3 n_packets cookie=0xc $of
log_mark
check 'the same again without the fault' bundle \
    'add cookie=0xe,table=0,in_port=1,actions=drop' \
    'delete table=2' \
    'add cookie=0xf,table=3,in_port=1,actions=drop'
check 'is applied' wait_until 5 prints \
    "$(printf '%s\n' 'hide 0xc 0' 'insert 0xe 0' 'hide 0xd 2' \
        'insert 0xf 3' publish 'delete 0xc 0' 'delete 0xd 2')" applied
vsctl clear bridge br0 flow_tables

## Timeouts

appctl time/stop >/dev/null
warp() {
    appctl time/warp "$1" 100 >/dev/null
}
ofctl del-flows br0
start_daemon mon ovs-ofctl -OOpenFlow13 monitor br0 65534
ofctl add-flow br0 'hard_timeout=10,tp_src=1,udp,send_flow_rem,actions=2'
ofctl add-flow br0 'idle_timeout=10,tp_src=2,udp,send_flow_rem,actions=2'
ofctl add-flow br0 'idle_timeout=30,tp_src=3,udp,send_flow_rem,actions=2'
log_mark
warp 5000
receive p1 1 && receive p1 2 && receive p1 2
wait_until 5 prints 2 n_packets tp_src=2
warp 6000
check 'a hard timeout removes a flow' wait_until 5 told mon \
    'FLOW_REMOVED.*tp_src=1 reason=hard .*pkts1 bytes106'
check 'an idle one only without packets' prints 2 n_packets tp_src=2
warp 6000
check 'then it does, with the last counts' wait_until 5 told mon \
    'FLOW_REMOVED.*tp_src=2 reason=idle .*pkts2 bytes212'
check 'a flow whose time has not come stays' prints 0 n_packets tp_src=3
ofctl del-flows br0
check 'a deletion is told, too' wait_until 5 told mon \
    'FLOW_REMOVED.*tp_src=3 reason=delete'

## To and from controllers

ofctl add-flow br0 'cookie=0x77,in_port=1,actions=controller:20'
receive p1
check 'an action sends a packet-in' wait_until 5 told mon \
    'PACKET_IN.*cookie=0x77 total_len=106 in_port=1 (via action)'
check 'which is not one to continue' prints 0 sh -c \
    "grep -c continuation '$dir/mon.log' || :"
ofctl -OOpenFlow13 add-flow br0 'cookie=0x78,priority=0,actions=controller'
receive p2
check 'a table-miss rule does with its own reason' wait_until 5 told mon \
    'PACKET_IN.*cookie=0x78 total_len=106 in_port=2 (via no_match)'
ofctl add-flow br0 'in_port=2,actions=dec_ttl,output:1'
appctl netdev-dummy/receive p2 "in_port(2),\
eth(src=50:54:00:00:00:01,dst=50:54:00:00:00:02),eth_type(0x0800),\
ipv4(src=10.0.0.1,dst=10.0.0.2,proto=17,tos=0,ttl=1,frag=no),\
udp(src=9,dst=53)"
ofctl del-flows br0
check 'OpenFlow 1.3 drops what no rule matches' prints 1 sh -c \
    "grep -c 'via no_match' '$dir/mon.log'"

n=$(port_counts 2)
packet=0102030405060708090a0b0c0d0e0f10
check 'packet-out to a port' ofctl packet-out br0 \
    "in_port=controller packet=$packet actions=2"
check 'leaves that port' wait_until 5 prints $((n + 1)) port_counts 2
ofctl add-flow br0 'cookie=0x5,in_port=3,actions=2'
check 'packet-out to the tables' ofctl packet-out br0 \
    "in_port=3 packet=$packet actions=table"
check 'runs the tables' wait_until 5 prints $((n + 2)) port_counts 2
check 'and counts' wait_until 5 prints 1 n_packets in_port=3

## Table-miss

# A barrier (ofctl waits for one) promises the new configuration.
# From 1.3 on, controllers do not hear of misses without a rule.
start_daemon mon11 ovs-ofctl -OOpenFlow11 monitor br0 65534
ofctl del-flows br0
ofctl -OOpenFlow11 mod-table br0 0 controller
# The monitor connects in its own time.
miss_told() {
    receive p1
    told mon11 'PACKET_IN.*total_len=106 in_port=1 (via no_match)'
}
check 'table-miss: to the controller' wait_until 5 miss_told
ofctl -OOpenFlow11 mod-table br0 0 continue
ofctl add-flow br0 table=1,actions=2
n=$(port_counts 2)
receive p1
check 'table-miss: to the next table' wait_until 5 prints $((n + 1)) \
    port_counts 2
ofctl -OOpenFlow11 mod-table br0 0 drop
receive p1
check 'table-miss: drop' prints $((n + 1)) port_counts 2

## Explanations

ofctl del-flows br0
ofctl add-flow br0 'cookie=0x7,in_port=1,udp,actions=dec_ttl,resubmit(,3)'
ofctl add-flow br0 'cookie=0x8,table=3,udp,tp_dst=53,actions=2'
ofctl add-flow br0 'cookie=0x9,table=3,priority=1,actions=drop'
explained='Flow: udp,in_port=1,vlan_tci=0x0000,dl_src=00:00:00:00:00:00,'\
'dl_dst=00:00:00:00:00:00,nw_src=0.0.0.0,nw_dst=0.0.0.0,nw_tos=0,nw_ecn=0,'\
'nw_ttl=64,nw_frag=no,tp_src=0,tp_dst=53

bridge("br0")
-------------
 0. udp,in_port=1, priority 32768, cookie 0x7
    dec_ttl
    resubmit(,3)
 3. udp,tp_dst=53, priority 32768, cookie 0x8
    output:2

Verdict: output to port 2 (p2)'
# Something in the output of the command $2 matches $1.
outputs() {
    outputs_what=$1
    shift
    "$@" | grep -q -e "$outputs_what"
}
trace() {
    appctl ofproto/trace "$@" | grep -v '^Final flow'
}
check 'ofproto/trace explains' prints "$explained" \
    trace br0 'in_port=1,udp,nw_ttl=64,udp_dst=53'
check 'a flow of the datapath, too' outputs 'output to port 2' appctl \
    ofproto/trace "in_port(1),eth(src=50:54:00:00:00:01,\
dst=50:54:00:00:00:02),eth_type(0x0800),ipv4(src=10.0.0.1,dst=10.0.0.2,\
proto=17,tos=0,ttl=64,frag=no),udp(src=1,dst=53)"
check 'says who drops' outputs \
    'dropped in table 3, action: .* by the rule with cookie 0x9' \
    appctl ofproto/trace br0 'in_port=1,udp,nw_ttl=64,udp_dst=54' -generate
check 'a packet-out' outputs 'output to port 3' appctl \
    ofproto/trace-packet-out br0 'in_port=1,udp' 'output:3'
refuses 'a packet-out that is inconsistent' 'Bad actions' appctl \
    ofproto/trace-packet-out -consistent br0 'in_port=1,arp' \
    'set_field:1->tcp_dst'
check 'and changes nothing' prints $((n + 1)) port_counts 2
check 'nor counts' prints 0 n_packets cookie=0x7
refuses 'a trace of no flow' 'unknown field' appctl ofproto/trace br0 nosuch
refuses 'a trace in no bridge' 'unknown bridge' appctl ofproto/trace br1 ip

appctl trace/live br0 'in_port=1,udp,tp_dst=53' 2 30 >"$dir/live" &
live=$!
appctl trace/live br0 tcp 1 1 >"$dir/live-tcp" &
live_tcp=$!
# Until the taps are there packets are not seen.
tapped() {
    receive p1 && [ -s "$dir/live" ]
}
check 'trace/live waits for packets' wait_until 10 tapped
check 'and ends' wait "$live"
check 'with their traces' prints 2 grep -c '^Verdict: output to port 2' \
    "$dir/live"
check 'and cycles' prints 2 grep -c '  actions of table 3, cookie 0x8' \
    "$dir/live"
check 'about which programs agree' sh -c "! grep disagree '$dir/live'"
warp 2000
check 'or for its time' wait "$live_tcp"
check 'in vain' outputs 'no packet that matches' cat "$dir/live-tcp"
refuses 'a live trace of nothing' 'nosuch' appctl trace/live br0 nosuch
refuses 'a live trace of no packets' 'from 1 to 1000' \
    appctl trace/live br0 udp 0
n=$(($(port_counts 2) - 1))
for command in dpctl/dump-flows upcall/show \
    'dpif-netdev/pmd-perf-log-set on' dpctl/dump-conntrack; do
    # shellcheck disable=SC2086 # a command and its argument
    check "$command answers with a line" prints 1 sh -c \
        "ovs-appctl -t $OVS_RUNDIR/ovs-vswitchd.$(bvs_pid).ctl $command |
            wc -l"
done

## Ports

ofctl del-flows br0
ofctl add-flow br0 actions=flood
n=$(port_counts 2)
receive p1
check 'floods' wait_until 5 prints $((n + 1)) port_counts 2
ofctl mod-port br0 2 no-flood
receive p1
check 'no-flood' prints $((n + 1)) port_counts 2
ofctl mod-port br0 2 flood
ofctl mod-port br0 1 no-receive
receive p1
check 'no-receive' prints $((n + 1)) port_counts 2
ofctl mod-port br0 1 receive
ofctl mod-port br0 2 no-forward
receive p1
check 'no-forward' prints $((n + 1)) port_counts 2
ofctl mod-port br0 2 forward
receive p1
check 'and all allowed again' wait_until 5 prints $((n + 2)) port_counts 2
ofctl mod-port br0 2 down
check 'a port that is down says so' sh -c "ovs-ofctl dump-ports-desc br0 |
    grep -A1 '2(p2)' | grep -q PORT_DOWN"
ofctl mod-port br0 2 up
check 'deletes a port' vsctl del-port p3
check 'OpenFlow knows' sh -c "! ovs-ofctl dump-ports br0 | grep -q ' p3:'"
check 'moves a number' vsctl set interface p2 ofport_request=9
check 'which OpenFlow sees' wait_until 5 prints 9 \
    vsctl get interface p2 ofport
check 'tells an error' vsctl --no-wait add-port br0 nosuch
check 'in the column' wait_until 5 sh -c \
    "ovs-vsctl get interface nosuch error | grep -q 'No such device'"

## What is refused

refuses 'an output to a group' OFPBAC_BAD_OUT_GROUP ofctl -OOpenFlow13 \
    add-flow br0 actions=group:1

## Fail-mode, deletion

ofctl del-flows br0
vsctl set-fail-mode br0 standalone
check 'fail-mode standalone switches' wait_until 5 prints \
    'cookie=0x0, table=0, n_packets=0, priority=0 actions=NORMAL' \
    flows --no-names
check 'cur_cfg follows next_cfg' prints "$(vsctl get Open . next_cfg)" \
    vsctl get Open . cur_cfg
check 'deletes a bridge' vsctl del-br br0
check 'a bridge of the same name' vsctl add-br br0 \
    -- set bridge br0 datapath_type=dummy
check 'logs no warning' sh -c "! grep -E '\|(WARN|ERR|EMER)\|' \
    '$OVS_LOGDIR/ovs-vswitchd.log' |
    grep -v 'timeval\|nosuch\|group action\|unix#\|lacks correct'"
check 'exits' appctl exit --cleanup

## Dummies under the names of other types

wait_until 5 is_gone "$(bvs_pid)"
check 'starts with dummies for all types' start_bvs --enable-dummy=override
check 'adds ports of type system' vsctl --if-exists del-br br0 \
    -- --if-exists del-br br1 -- add-br br2 \
    -- add-port br2 p1 -- set interface p1 ofport_request=1
appctl netdev-dummy/receive p1 'in_port(1),eth(),eth_type(0x1234)'
seen() {
    ofctl dump-flows br2 | grep -q 'n_packets=1,'
}
check 'which forward' wait_until 5 seen

finish
