#!/bin/sh
# SPDX-License-Identifier: Apache-2.0
# shellcheck disable=SC2317 # functions are called through check
# timeout: 120
#
# Meters of OpenFlow, with time standing still but for `warp'.

# shellcheck source=tests/system/lib.sh
. "$(dirname "$0")/lib.sh"

need 'ovs-ofctl --version' 'there is no stock ovs-ofctl'

of=-OOpenFlow13

appctl() {
    ovs-appctl -T 10 -t "$OVS_RUNDIR/ovs-vswitchd.$(bvs_pid).ctl" "$@"
}

ofctl() {
    ovs-ofctl -t 10 "$of" "$@"
}

# $2 UDP packets of 60 bytes, DSCP AF11, arrive at port $1.
receive() {
    i=0
    while [ "$i" -lt "$2" ]; do
        appctl netdev-dummy/receive "$1" "in_port(1),\
eth(src=50:54:00:00:00:01,dst=50:54:00:00:00:02),eth_type(0x0800),\
ipv4(src=10.0.0.1,dst=10.0.0.2,proto=17,tos=${3:-0x28},ttl=64,frag=no),\
udp(src=1000,dst=53)" --len 60 || return 1
        i=$((i + 1))
    done
}

warp() {
    appctl time/warp "$1" 100 >/dev/null
}

n_sent() {
    ofctl dump-ports br0 "$1" | sed -n 's/.*tx pkts=\([0-9]*\),.*/\1/p'
}

# Counts of meter $1: packets, then those of each band.
meter_stats() {
    ofctl meter-stats br0 "meter=$1" |
        sed -n 's/.*packet_in_count:\([0-9]*\) .*/\1/p
            s/^[0-9]*: packet_count:\([0-9]*\) .*/\1/p' | tr '\n' ' '
}

check 'starts' start_bvs --enable-dummy --disable-system
check 'adds a bridge and ports' bvs-vsctl add-br br0 \
    -- set bridge br0 datapath_type=dummy fail-mode=secure \
       protocols=OpenFlow10,OpenFlow13,OpenFlow15 \
    -- add-port br0 p1 -- set interface p1 type=dummy ofport_request=1 \
    -- add-port br0 p2 -- set interface p2 type=dummy ofport_request=2 \
       options:tx_pcap="$dir/p2.pcap" \
    -- add-port br0 p3 -- set interface p3 type=dummy ofport_request=3
appctl time/stop >/dev/null
check 'says what meters it has' sh -c \
    "ovs-ofctl $of meter-features br0 | grep -q 'max_meter:65536'"

## Rates

check 'adds a meter' ofctl add-meter br0 \
    'meter=1,pktps,burst,stats,bands=type=drop,rate=2,burst_size=3'
check 'a flow goes through it' ofctl add-flow br0 \
    'in_port=1,actions=meter:1,output:2'
receive p1 8
check 'the burst passes' prints 3 n_sent 2
check 'the rest is counted' prints '8 5 ' meter_stats 1
check 'drop/show says so' sh -c \
    "bvs-appctl drop/show br0 | grep -q '5.*meter: rate exceeded'"
warp 1000
receive p1 8
check 'then the rate' prints 5 n_sent 2
check 'modifies it, at once' ofctl mod-meter br0 \
    'meter=1,kbps,burst,bands=type=drop,rate=1,burst_size=1'
n=$(n_sent 2)
receive p1 4
check 'a kilobit is two packets of 60 bytes' prints $((n + 2)) n_sent 2
check 'dump-meters shows it' sh -c "ovs-ofctl $of dump-meters br0 |
    grep -q 'meter=1 kbps burst'"

## Remarks

ofctl add-meter br0 \
    'meter=2,pktps,burst,bands=type=dscp_remark,rate=1,burst_size=1,prec_level=1'
ofctl mod-flows br0 'in_port=1,actions=meter:2,output:2'
rm -f "$dir/p2.pcap"
bvs-vsctl set interface p2 options:tx_pcap="$dir/new.pcap"
receive p1 2
receive p1 1 0x38
receive p1 1 0
check 'what exceeds it has a higher drop precedence' prints \
    '0x28 0x30 0x38 0x0' sh -c \
    "tcpdump -nvr $dir/new.pcap 2>/dev/null |
        sed -n 's/.*(tos \(0x[0-9a-f]*\),.*/\1/p' | tr '\n' ' ' | sed 's/ $//'"

## What is left of the packet

ofctl add-meter br0 'meter=3,pktps,burst,bands=type=drop,rate=1,burst_size=1'
ofctl add-flow br0 'table=5,actions=meter:3,output:2'
ofctl mod-flows br0 'in_port=1,actions=output:3,clone(resubmit(,5)),output:3'
n2=$(n_sent 2) n3=$(n_sent 3)
receive p1 2
check 'a clone that is dropped' prints $((n2 + 1)) n_sent 2
check 'leaves the packet' prints $((n3 + 4)) n_sent 3
ofctl add-group br0 'group_id=1,type=all,bucket=actions=resubmit(,5),bucket=actions=output:3'
ofctl mod-flows br0 'in_port=1,actions=group:1'
n3=$(n_sent 3)
receive p1 2
check 'a bucket that is dropped leaves the others' prints $((n3 + 2)) n_sent 3

## Controllers

start_daemon monitor ovs-ofctl $of monitor br0 65534 -P nxt_packet_in
wait_until 5 test -S "$OVS_RUNDIR/br0.mgmt"
packet_ins() {
    grep -c NXT_PACKET_IN "$dir/monitor.log"
}
ofctl mod-flows br0 'in_port=1,actions=controller'
receive p1 1
check 'a packet-in' wait_until 5 prints 1 packet_ins
check 'the meter of controllers' ofctl add-meter br0 \
    'meter=controller,pktps,burst,stats,bands=type=drop,rate=1,burst_size=2'
receive p1 5
check 'lets its burst pass' wait_until 5 prints 3 packet_ins
check 'and counts' prints '5 3 ' meter_stats controller
ofctl del-meter br0 meter=controller
receive p1 1
check 'it is gone' wait_until 5 prints 4 packet_ins

## Errors

refuses 'no such meter' INVALID_METER ofctl add-flow br0 actions=meter:9
refuses 'a meter that exists' METER_EXISTS ofctl add-meter br0 \
    'meter=1,pktps,bands=type=drop,rate=1'
ofctl del-flows br0
ofctl add-flow br0 'in_port=1,actions=meter:1,output:2'
check 'deletes a meter' ofctl del-meter br0 meter=1
check 'and its flow' sh -c "! ovs-ofctl $of dump-flows br0 | grep meter:1"
check 'deletes all' ofctl del-meters br0
check 'none is left' sh -c "! ovs-ofctl $of dump-meters br0 | grep meter="
check 'ends' stop_bvs
finish
