#!/bin/sh
# SPDX-License-Identifier: Apache-2.0
# shellcheck disable=SC2317 # functions are called through check
# timeout: 120
#
# L2 beyond one port a bundle: bonds, mirrors, patch ports.

# shellcheck source=tests/system/lib.sh
. "$(dirname "$0")/lib.sh"

need 'ovs-appctl --version' 'there is no stock ovs-appctl'

appctl() {
    ovs-appctl -T 10 -t "$OVS_RUNDIR/ovs-vswitchd.$(bvs_pid).ctl" "$@"
}

vsctl() {
    bvs-vsctl -t 10 "$@"
}

# Port p1 receives a UDP packet from host $1 to port $2.
receive() {
    appctl netdev-dummy/receive p1 "in_port(1),\
eth(src=50:54:00:00:00:$1,dst=50:54:00:00:00:99),eth_type(0x0800),\
ipv4(src=10.0.0.1,dst=10.0.0.2,proto=17,tos=0,ttl=64,frag=no),\
udp(src=1000,dst=$2)"
}

# The UDP ports to which packets went that port $1 has sent.
sent() {
    tcpdump -n -r "$dir/$1.pcap" 2>/dev/null |
        sed -n 's/.*10\.0\.0\.2\.\([0-9]*\):.*/\1/p' | tr '\n' ' ' |
        sed 's/ $//'
}

lengths() {
    tcpdump -n -e -r "$dir/$1.pcap" 2>/dev/null |
        sed -n 's/.* length \([0-9]*\): .*/\1/p' | sort -u
}

active() {
    appctl bond/show bond0 | sed -n 's/^active member mac: .*(\(.*\))/\1/p'
}

other() {
    if [ "$(active)" = p2 ]; then echo p3; else echo p2; fi
}

# No packet has been seen on these ports.
anew() {
    for i in "$@"; do
        vsctl set interface "$i" "options:tx_pcap=$dir/none.pcap"
        rm -f "$dir/$i.pcap"
        vsctl set interface "$i" "options:tx_pcap=$dir/$i.pcap"
    done
}

check 'starts' start_bvs --enable-dummy --disable-system
check 'adds a bridge and a bond' vsctl add-br br0 \
    -- set bridge br0 datapath_type=dummy \
    -- add-port br0 p1 -- set interface p1 type=dummy ofport_request=1 \
    -- add-bond br0 bond0 p2 p3 bond_mode=active-backup \
    -- set interface p2 type=dummy ofport_request=2 \
    -- set interface p3 type=dummy ofport_request=3 \
    -- add-port br0 p4 -- set interface p4 type=dummy ofport_request=4

## Bonds

has_active() {
    [ -n "$(active)" ]
}

is_active() {
    [ "$(active)" = "$1" ]
}

check 'one member becomes active' wait_until 10 has_active
anew p2 p3 p4
first=$(active)
second=$(other)
receive 01 100
check 'the active member sends' wait_until 5 prints 100 sent "$first"
check 'the other does not' prints '' sent "$second"
appctl netdev-dummy/set-admin-state "$first" down
check 'the other takes over' wait_until 5 is_active "$second"
receive 01 101
check 'and sends' wait_until 5 prints 101 sent "$second"
appctl netdev-dummy/set-admin-state "$first" up

vsctl set port bond0 bond_mode=balance-slb
has_two_members() {
    [ "$(appctl bond/show bond0 | grep -c ': enabled')" = 2 ]
}
check 'both members are enabled' wait_until 10 has_two_members
anew p2 p3 p4
for i in 11 12 13 14 15 16 17 18 19 20 21 22 23 24 25 26; do
    receive $i "$((i + 1000))"
done
total() {
    echo "$(sent p2) $(sent p3)" | wc -w
}
spread() {
    [ "$(total)" -eq 16 ] && [ -n "$(sent p2)" ] && [ -n "$(sent p3)" ]
}
check 'balance-slb uses both, each packet once' wait_until 5 spread

## Mirrors

check 'adds a mirror' vsctl -- --id=@p1 get port p1 \
    -- --id=@p4 get port p4 \
    -- --id=@m create mirror name=m0 select_src_port=@p1 output_port=@p4 \
    -- set bridge br0 mirrors=@m
anew p2 p3 p4
receive 01 200
check 'the mirror has a copy' wait_until 5 prints 200 sent p4
receive 01 201
check 'and just one of each' wait_until 5 prints '200 201' sent p4
counts() {
    vsctl get mirror m0 statistics | grep -q 'tx_packets=2'
}
check 'it counts' wait_until 15 counts
vsctl set mirror m0 snaplen=20
anew p2 p3 p4
receive 01 202
check 'snaplen cuts the copy' wait_until 5 prints 20 lengths p4
check 'removes it' vsctl clear bridge br0 mirrors
anew p2 p3 p4
receive 01 203
check 'p4 floods again' wait_until 5 prints 203 sent p4

## Patch ports

check 'joins two bridges' vsctl add-br br1 \
    -- set bridge br1 datapath_type=dummy \
    -- add-port br1 p5 -- set interface p5 type=dummy ofport_request=5 \
    -- add-port br0 to1 -- set interface to1 type=patch options:peer=to0 \
    -- add-port br1 to0 -- set interface to0 type=patch options:peer=to1
anew p4 p5
receive 01 300
check 'a packet gets through' wait_until 5 prints 300 sent p5
knows() {
    appctl fdb/show br1 | grep -q '50:54:00:00:00:01'
}
check 'its source is learned there' wait_until 5 knows
check 'parts them' vsctl del-port br1 to0
anew p4 p5
receive 01 301
check 'none gets through' prints '' sent p5
check 'the rest goes on' wait_until 5 prints 301 sent p4

check 'the daemon ends' stop_bvs
finish
