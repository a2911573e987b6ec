#!/bin/sh
# SPDX-License-Identifier: Apache-2.0
# shellcheck disable=SC2317 # functions are called through check
# timeout: 240
#
# What stays when the switch ends and starts again: devices of internal ports
# with their addresses and routes.

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

finish
