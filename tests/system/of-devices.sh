#!/bin/sh
# SPDX-License-Identifier: Apache-2.0
# shellcheck disable=SC2317 # functions are called through check
# timeout: 120
#
# Devices of Linux as ports: traffic, an internal port, a device that is
# unplugged and comes back, flow-restore-wait, a controller that is away.

# shellcheck source=tests/system/lib.sh
. "$(dirname "$0")/lib.sh"

is_root || skip_all 'needs root for network namespaces'
need 'ovs-vsctl --version' 'there is no stock ovs-vsctl'
need 'ping -V' 'there is no ping'

vsctl() {
    ovs-vsctl -t 10 "$@"
}

# Does namespace $1 reach address $2?
reaches() {
    in_ns "$1" ping -c 1 -W 1 "$2"
}

br=bvs$$
p1=a$$
p2=b$$

check 'starts' start_bvs
check 'adds a bridge' vsctl add-br $br -- set bridge $br datapath_type=netdev
check 'a port in a namespace' ns_port $br $p1 10.99.0.1/24
check 'another' ns_port $br $p2 10.99.0.2/24
check 'it forwards' wait_until 10 reaches $p1 10.99.0.2
check 'the internal port is a device' ip addr add 10.99.0.3/24 dev $br
check 'that comes up' ip link set $br up
check 'and answers' wait_until 10 reaches $p1 10.99.0.3
check 'link_state is up' prints up vsctl get interface $p1 link_state

## A device goes and returns

port=$(vsctl get interface $p1 ofport)
check 'unplugs a device' ip link del $p1
check 'link_state follows' wait_until 5 prints down \
    vsctl get interface $p1 link_state
check 'the rest forwards' wait_until 5 reaches $p2 10.99.0.3
plug() {
    ip link add "$p1" type veth peer name eth0 netns "bvs-$$-$p1" &&
        in_ns "$p1" ip addr add 10.99.0.1/24 dev eth0 &&
        in_ns "$p1" ip link set eth0 up && ip link set "$p1" up
}
check 'plugs it in again' plug
check 'link_state follows again' wait_until 5 prints up \
    vsctl get interface $p1 link_state
check 'it has its old number' prints "$port" vsctl get interface $p1 ofport
check 'it forwards again' wait_until 10 reaches $p1 10.99.0.2

## Who forwards, and when

check 'flow-restore-wait' vsctl set Open . other_config:flow-restore-wait=true
check 'stops' stop_bvs
check 'starts again' start_bvs
wait_until 5 vsctl get interface $p1 link_state
refuses 'holds packets' '100% packet loss' reaches $p1 10.99.0.2
check 'until it ends' vsctl remove Open . other_config flow-restore-wait
check 'then they pass' wait_until 10 reaches $p1 10.99.0.2

check 'secure, and no controller' vsctl set-fail-mode $br secure \
    -- set-controller $br tcp:127.0.0.1:9 \
    -- set controller $br inactivity_probe=5000 max_backoff=1000
wait_until 5 prints '' sh -c "ovs-ofctl dump-flows $br | grep NORMAL || :"
refuses 'forwards nothing' '100% packet loss' reaches $p1 10.99.0.2
check 'standalone' vsctl set-fail-mode $br standalone
check 'switches by itself after a while' wait_until 40 \
    reaches $p1 10.99.0.2
check 'with a flow of its own, hidden from OpenFlow' sh -c \
    "! ovs-ofctl dump-flows $br | grep -q NORMAL"
check 'that the bridge shows' sh -c "ovs-appctl -t $OVS_RUNDIR/ovs-vswitchd.\$(
    cat $OVS_RUNDIR/ovs-vswitchd.pid).ctl bridge/dump-flows $br |
    grep -q priority=15790320.*NORMAL"

check 'exits' stop_bvs
check 'and takes the internal port along' sh -c "! ip link show $br"

finish
