#!/bin/sh
# SPDX-License-Identifier: Apache-2.0
# shellcheck disable=SC2317 # functions are called through check
# timeout: 100
#
# usage: of-atomic.sh [BUNDLES [BARRIERS [EXPIRIES]]]
#
# No packet sees half a bundle; after the reply to a barrier, none meets the
# old rules.  Two workers forward what two senders send without pause while
# tables change, round after round: as many as the arguments say, without
# them for a few seconds.  tests/tools/of-atomic.c says what a round is.

# shellcheck source=tests/system/lib.sh
. "$(dirname "$0")/lib.sh"

need is_root 'network namespaces need root'

if [ $# -gt 0 ]; then
    amount="--bundles=$1 --barriers=${2:-$((10 * $1))} --expiries=${3:-$1}"
else
    amount='--bundles=300 --barriers=2100 --expiries=64 --seconds=6'
fi

# Port $1, whose other end is device $1 of the test's namespace.
add_port() {
    ip link add name "bvs$$$1" type veth peer name "$1" netns "$ns" ||
        return 1
    at_exit "ip link del bvs$$$1"
    ip -n "$ns" link set dev "$1" up &&
        ip link set dev "bvs$$$1" up &&
        bvs-vsctl add-port br0 "bvs$$$1" \
            -- set interface "bvs$$$1" ofport_request="$2"
}

check 'starts' start_bvs
check 'adds a bridge' bvs-vsctl \
    -- set Open_vSwitch . other_config:pmd-cpu-mask=3 \
    -- add-br br0 -- set bridge br0 datapath_type=netdev fail-mode=secure \
       protocols=OpenFlow11,OpenFlow14
ns_add atomic
ip netns exec "$ns" sysctl -qw net.ipv6.conf.all.disable_ipv6=1 \
    net.ipv6.conf.default.disable_ipv6=1
check 'adds ports' add_port out 1
check 'adds ports: one to send' add_port in1 2
check 'adds ports: another' add_port in2 3

# shellcheck disable=SC2086 # several arguments
in_ns atomic "$BUILD/tests/tools/of-atomic" $amount \
    --mgmt="$OVS_RUNDIR/br0.mgmt" out in1 in2 ||
    n_failed=$((n_failed + 1))
check 'the daemon ends' stop_bvs
finish
