#!/bin/sh
# SPDX-License-Identifier: Apache-2.0
# timeout: 90
#
# Quality of service of Linux's devices, which Open vSwitch's netdev-linux
# sets up: what tc then says, and what OpenFlow says of queues.
#
# shellcheck disable=SC2317,SC2119 # functions are called through check

if [ -z "${BVS_INSIDE:-}" ] && [ "$(id -u)" = 0 ]; then
    BVS_INSIDE=1 exec unshare --net "$0"
fi

# shellcheck source=tests/system/lib.sh
. "$(dirname "$0")/lib.sh"
need is_root 'needs root, for network devices'
ip link set lo up
ip link add name q0 type veth peer name q1
ip link set q0 up
ip link set q1 up

# Whether this kernel has the queueing discipline $1.
has_qdisc() {
    tc qdisc add dev q1 root "$1" && tc qdisc del dev q1 root
}

qdisc() {
    tc qdisc show dev q0 | grep -q "$1"
}

no_qdisc() {
    ! qdisc "$1"
}

class() {
    tc class show dev q0 | grep -q "$1"
}

check 'starts' start_bvs
check 'adds a bridge' bvs-vsctl add-br br0 -- set-fail-mode br0 secure \
    -- set bridge br0 protocols=OpenFlow10,OpenFlow13 \
    -- add-port br0 q0 -- set interface q0 ofport_request=1

if has_qdisc htb; then
    check 'linux-htb' bvs-vsctl set port q0 qos=@q \
        -- --id=@q create qos type=linux-htb other_config:max-rate=10000000 \
           queues:0=@a queues:7=@b \
        -- --id=@a create queue other_config:max-rate=4000000 \
        -- --id=@b create queue other_config:min-rate=1000000 \
           other_config:max-rate=2000000
    check 'linux-htb: the discipline' wait_until 10 qdisc 'htb 1:'
    check 'linux-htb: all of the port' class 'class htb 1:fffe.*ceil 10Mbit'
    check 'linux-htb: queue 0' class 'class htb 1:1 .*ceil 4Mbit'
    check 'linux-htb: queue 7' class 'class htb 1:8 .*rate 1Mbit ceil 2Mbit'
    check 'linux-htb: statistics of queue 7' sh -c \
        'ovs-ofctl -OOpenFlow13 queue-stats br0 1 7 | grep -q "queue 7: bytes"'
    check 'linux-htb: OpenFlow knows queue 7' sh -c \
        'ovs-ofctl -OOpenFlow10 queue-get-config br0 1 | grep -q "queue 7"'
    check 'linux-htb: shown' sh -c \
        'bvs-appctl qos/show q0 | grep -q "QoS: q0 linux-htb"'
    check 'linux-htb: a queue less' bvs-vsctl remove qos q0 queues 7
    no_class() {
        ! class 'class htb 1:8'
    }
    check 'linux-htb: queue 7 is gone' wait_until 10 no_class
    check 'no quality of service' bvs-vsctl -- clear port q0 qos \
        -- --all destroy qos -- --all destroy queue
    check 'linux-htb: is gone' wait_until 10 no_qdisc htb
else
    echo 'no htb in this kernel' >&2
fi
if has_qdisc hfsc; then
    check 'linux-hfsc' bvs-vsctl set port q0 qos=@q \
        -- --id=@q create qos type=linux-hfsc other_config:max-rate=10000000
    check 'linux-hfsc: the discipline' wait_until 10 qdisc 'hfsc 1:'
    check 'linux-hfsc: all of the port' class 'class hfsc 1:fffe'
    bvs-vsctl clear port q0 qos
    check 'linux-hfsc: is gone' wait_until 10 no_qdisc hfsc
fi

# Not ours to change.
tc qdisc add dev q0 root pfifo limit 77
check 'linux-noop' bvs-vsctl set port q0 qos=@q \
    -- --id=@q create qos type=linux-noop
check 'linux-noop: leaves all as it is' qdisc 'pfifo.*limit 77p'
bvs-vsctl clear port q0 qos

# Policers of what comes in need the ingress discipline and a classifier.
if tc qdisc add dev q1 ingress 2>/dev/null; then
    check 'ingress policing' bvs-vsctl set interface q0 \
        ingress_policing_rate=1000 ingress_policing_burst=100
    check 'ingress policing: the discipline' wait_until 10 qdisc ingress
    if tc filter add dev q1 parent ffff: protocol all prio 49 basic police \
        rate 1mbit burst 10k mtu 64k drop 2>/dev/null; then
        check 'ingress policing: the policer' sh -c \
            'tc filter show dev q0 parent ffff: | grep -q "rate 1Mbit"'
    fi
    bvs-vsctl set interface q0 ingress_policing_rate=0
    check 'ingress policing: is gone' wait_until 10 no_qdisc ingress
fi
check 'the daemon ends' stop_bvs
finish
