#!/bin/sh
# SPDX-License-Identifier: Apache-2.0
# shellcheck disable=SC2317 # functions are called through check
# timeout: 120
#
# Groups: what buckets do to packets, which buckets are chosen, counters, and
# groups that change under flows.

# shellcheck source=tests/system/lib.sh
. "$(dirname "$0")/lib.sh"

need 'ovs-ofctl --version' 'there is no stock ovs-ofctl'

of=-OOpenFlow15

appctl() {
    ovs-appctl -T 10 -t "$OVS_RUNDIR/ovs-vswitchd.$(bvs_pid).ctl" "$@"
}

vsctl() {
    bvs-vsctl -t 10 "$@"
}

ofctl() {
    ovs-ofctl -t 10 "$of" "$@"
}

# Port 1 receives a UDP packet of source port $1.
receive() {
    appctl netdev-dummy/receive p1 "in_port(1),\
eth(src=50:54:00:00:00:01,dst=50:54:00:00:00:02),eth_type(0x0800),\
ipv4(src=10.0.0.1,dst=10.0.0.2,proto=17,tos=0,ttl=64,frag=no),\
udp(src=${1:-1000},dst=53)"
}

# What port $1 has sent: destination addresses.
sent() {
    tcpdump -n -r "$dir/p$1.pcap" 2>/dev/null |
        sed -n 's/.* > \([0-9.]*\)\.\([0-9]*\):.*/\1:\2/p' | tr '\n' ' ' |
        sed 's/ $//'
}

n_sent() {
    ofctl dump-ports br0 "$1" | sed -n 's/.*tx pkts=\([0-9]*\),.*/\1/p'
}

group_stats() {
    ofctl dump-group-stats br0 "group_id=$1" |
        sed -n 's/.*,\(packet_count=.*\)/\1/p' |
        sed 's/byte_count=[0-9]*,*//g; s/packet_count=//g; s/,$//'
}

# Starts anew: no flow, no group, no packet seen.
anew() {
    ofctl del-flows br0 && ofctl del-groups br0
    for i in 1 2 3 4; do
        vsctl set interface "p$i" "options:tx_pcap=$dir/none.pcap"
        rm -f "$dir/p$i.pcap"
        vsctl set interface "p$i" "options:tx_pcap=$dir/p$i.pcap"
    done
}

check 'starts' start_bvs --enable-dummy --disable-system
check 'adds a bridge and ports' vsctl add-br br0 \
    -- set bridge br0 datapath_type=dummy fail-mode=secure \
       protocols=OpenFlow10,OpenFlow13,OpenFlow15 \
    -- add-port br0 p1 -- set interface p1 type=dummy ofport_request=1 \
    -- add-port br0 p2 -- set interface p2 type=dummy ofport_request=2 \
    -- add-port br0 p3 -- set interface p3 type=dummy ofport_request=3 \
    -- add-port br0 p4 -- set interface p4 type=dummy ofport_request=4
check 'says what groups it has' sh -c \
    "ovs-ofctl $of dump-group-features br0 | grep -qi 'failover'"

## All and indirect

anew
ofctl add-group br0 'group_id=1,type=all,bucket=actions=set_field:1.1.1.1->ip_dst,output:2,bucket=actions=set_field:77->udp_dst,output:3,bucket=actions=output:2'
ofctl add-flow br0 'in_port=1,udp,actions=set_field:9.9.9.9->ip_dst,group:1,output:4'
receive
check 'each bucket has its copy' wait_until 5 prints '1.1.1.1:53 9.9.9.9:53' \
    sent 2
check 'the second bucket' prints '9.9.9.9:77' sent 3
check 'the actions after the group' prints '9.9.9.9:53' sent 4
check 'counts' prints '1,bucket0:1,bucket1:1,bucket2:1' group_stats 1

anew
ofctl add-group br0 'group_id=1,type=indirect,bucket=actions=dec_ttl,output:2'
ofctl add-flow br0 'in_port=1,udp,actions=group:1'
receive
check 'an indirect group' wait_until 5 prints '10.0.0.2:53' sent 2
check 'its count' prints '1,bucket0:1' group_stats 1
ofctl mod-group br0 'group_id=1,type=indirect,bucket=actions=output:3'
receive
check 'modified, in place' wait_until 5 prints '10.0.0.2:53' sent 3
check 'an old bucket is gone' prints '10.0.0.2:53' sent 2

anew
ofctl add-group br0 'group_id=1,type=all,bucket=actions=set_field:1.1.1.1->ip_dst,output:2'
ofctl add-flow br0 'in_port=1,udp,actions=write_actions(set_field:7.7.7.7->ip_dst,group:1,output:4)'
receive
check 'a group in an action set' wait_until 5 prints '1.1.1.1:53' sent 2
check 'goes before its output' prints '' sent 4

anew
ofctl add-group br0 'group_id=3,type=all,bucket=actions=output:2'
ofctl add-group br0 'group_id=2,type=all,bucket=actions=output:3,bucket=actions=group:3'
ofctl add-group br0 'group_id=1,type=indirect,bucket=actions=set_field:1.1.1.1->ip_dst,group:2'
ofctl add-flow br0 'in_port=1,udp,actions=group:1,output:4'
receive
check 'chained groups' wait_until 5 prints '1.1.1.1:53' sent 2
check 'chained groups: the other bucket' prints '1.1.1.1:53' sent 3
check 'chained groups: the packet itself' prints '10.0.0.2:53' sent 4

anew
ofctl add-group br0 'group_id=1,type=all,bucket=actions=resubmit(,5)'
ofctl add-flow br0 'in_port=1,udp,actions=group:1,output:4'
ofctl add-flow br0 'table=5,udp,actions=set_field:5.5.5.5->ip_dst,output:2'
receive
check 'a bucket may resubmit' wait_until 5 prints '5.5.5.5:53' sent 2
check 'and the packet is as it was' prints '10.0.0.2:53' sent 4

anew
ofctl add-group br0 'group_id=1,type=all'
ofctl add-flow br0 'in_port=1,udp,actions=group:1,output:4'
receive
check 'a group without buckets' wait_until 5 prints '10.0.0.2:53' sent 4

## Select

anew
ofctl add-group br0 'group_id=1,type=select,bucket=bucket_id:1,weight:1,actions=output:2,bucket=bucket_id:2,weight:3,actions=output:3'
ofctl add-flow br0 'in_port=1,udp,actions=group:1'
base2=$(n_sent 2) base3=$(n_sent 3)
i=0
while [ $i -lt 100 ]; do
    receive $((2000 + i))
    i=$((i + 1))
done
shares() {
    a=$(($(n_sent 2) - base2)) b=$(($(n_sent 3) - base3))
    [ $((a + b)) = "$1" ] && [ "$a" -ge "$2" ] && [ "$a" -le "$3" ]
}
check 'select: weights' shares 100 10 40
old2=$(n_sent 2) old3=$(n_sent 3)
receive 4000; receive 4000; receive 4000
check 'select: a flow has one bucket' sh -c \
    "[ $(n_sent 2) = $old2 ] || [ $(n_sent 3) = $old3 ]"

# The buckets of flows 3000... before and after another bucket comes and goes.
buckets_of_flows() {
    i=0
    while [ $i -lt 30 ]; do
        before=$(n_sent 2)
        receive $((3000 + i))
        after=$(n_sent 2)
        printf '%s' $((after - before))
        i=$((i + 1))
    done
}
with_two=$(buckets_of_flows)
check 'inserts a bucket' ofctl insert-buckets br0 \
    'group_id=1,command_bucket_id=last,bucket=bucket_id:3,weight:2,actions=output:4'
n=$(n_sent 4)
buckets_of_flows >/dev/null
check 'which has its share' [ "$(n_sent 4)" -gt "$n" ]
check 'removes it' ofctl remove-buckets br0 'group_id=1,command_bucket_id=3'
check 'and flows are where they were' prints "$with_two" buckets_of_flows
check 'counts of kept buckets go on' prints "$(($(n_sent 2) - base2))" \
    sh -c "echo '$(group_stats 1)' | sed 's/.*bucket0:\([0-9]*\).*/\1/'"

## Fast failover

anew
ofctl add-group br0 'group_id=2,type=ff,bucket=watch_port:3,actions=output:3'
ofctl add-group br0 'group_id=1,type=ff,bucket=watch_port:2,actions=output:2,bucket=watch_group:2,actions=group:2,bucket=watch_port:4,actions=output:4'
ofctl add-flow br0 'in_port=1,udp,actions=group:1'
carrier() {
    appctl netdev-dummy/set-admin-state "$1" "$2" >/dev/null
}
reaches() {
    reaches_n=$(n_sent "$1")
    receive
    [ "$(n_sent "$1")" -gt "$reaches_n" ]
}
check 'failover: the first' reaches 2
carrier p2 down
check 'failover: the second, by its group' wait_until 5 reaches 3
carrier p3 down
check 'failover: the third' wait_until 5 reaches 4
carrier p4 down
none_sent() {
    n=$(($(n_sent 2) + $(n_sent 3) + $(n_sent 4)))
    receive
    [ $(($(n_sent 2) + $(n_sent 3) + $(n_sent 4))) = "$n" ]
}
check 'failover: none is left' wait_until 5 none_sent
check 'drop/show says so' sh -c "bvs-appctl drop/show br0 |
    grep -q 'no bucket of the group is live'"
carrier p2 up
check 'failover: the first is back' wait_until 5 reaches 2
carrier p3 up; carrier p4 up

## Changes

anew
refuses 'no such group' BAD_OUT_GROUP ofctl add-flow br0 \
    'in_port=1,actions=group:9'
ofctl add-group br0 'group_id=1,type=all,bucket=actions=output:2'
refuses 'the same group twice' GROUP_EXISTS ofctl add-group br0 \
    'group_id=1,type=all,bucket=actions=output:2'
refuses 'a bucket that cannot be compiled' CT_DATAPATH ofctl add-group br0 \
    'group_id=5,type=all,bucket=actions=ct(commit)'
ofctl add-flow br0 'in_port=1,udp,actions=group:1'
check 'deletes the group' ofctl del-groups br0 group_id=1
check 'and its flow' sh -c \
    "! ovs-ofctl $of dump-flows br0 | grep group"

ofctl add-group br0 'group_id=1,type=all,bucket=actions=output:2'
ofctl add-group br0 'group_id=2,type=all,bucket=actions=output:3'
ofctl add-flow br0 \
    'in_port=1,actions=group:1,group:2,clone(group:1),group:2,group:1'
ofctl add-flow br0 'in_port=2,actions=group:1'
check 'deletes a group that a flow names often' ofctl del-groups br0 group_id=1
check 'and its flows, once' prints 0 sh -c \
    "ovs-ofctl $of dump-flows br0 | grep -c group || :"
ofctl add-flow br0 'in_port=1,udp,actions=group:2,group:2'
printf '%s\n' 'group delete group_id=2' 'flow add actions=group:99' \
    >"$dir/bundle"
refuses 'a bundle that deletes a group, then fails' BAD_OUT_GROUP \
    ofctl bundle br0 "$dir/bundle"
base3=$(n_sent 3)
receive
check 'leaves the group and its flow' wait_until 5 prints $((base3 + 2)) \
    n_sent 3
printf '%s\n' 'group delete group_id=2' 'group add group_id=2,type=all' \
    >"$dir/bundle"
check 'the same without the fault' ofctl bundle br0 "$dir/bundle"
check 'deletes the flow' prints 0 sh -c \
    "ovs-ofctl $of dump-flows br0 | grep -c group || :"

anew
cat >"$dir/bundle" <<'E2'
group add group_id=1,type=all,bucket=actions=output:2
group insert_bucket group_id=1,command_bucket_id=last,bucket=bucket_id:7,actions=output:3
flow add in_port=1,udp,actions=group:1
E2
check 'a bundle of groups and flows' ofctl bundle br0 "$dir/bundle"
receive
check 'both buckets run' wait_until 5 prints '10.0.0.2:53' sent 3
check 'both buckets run: the first' prints '10.0.0.2:53' sent 2
cat >"$dir/bundle" <<'E2'
group add group_id=2,type=all,bucket=actions=output:2
group modify group_id=1,type=all,bucket=actions=output:4
flow add in_port=1,actions=group:99
E2
refuses 'a bundle that fails' BAD_OUT_GROUP ofctl bundle br0 "$dir/bundle"
receive
check 'changes nothing' wait_until 5 prints '10.0.0.2:53 10.0.0.2:53' sent 3
check 'leaves no group' sh -c \
    "! ovs-ofctl $of dump-groups br0 | grep group_id=2"

# A group that leads to itself comes to an end.
ofctl mod-group br0 'group_id=1,type=all,bucket=actions=group:1'
receive
check 'a loop ends' wait_until 5 sh -c \
    "bvs-appctl drop/show br0 | grep -q 'levels of resubmit'"
ofctl mod-group br0 'group_id=1,type=all,bucket=actions=output:2'
check 'a packet-out through a group' ofctl packet-out br0 \
    'in_port=controller packet=505400000002505400000001ffff actions=group:1'
check 'the daemon ends' stop_bvs
finish
