#!/bin/sh
# SPDX-License-Identifier: Apache-2.0
# timeout: 90
#
# A flood of packet-ins does not keep LACP frames from their handler: all of
# them arrive.  How long that took is printed, not judged.
#
# shellcheck disable=SC2317 # called through check

if [ -z "${BVS_INSIDE:-}" ] && [ "$(id -u)" = 0 ]; then
    BVS_INSIDE=1 exec unshare --net "$0"
fi

# shellcheck source=tests/system/lib.sh
. "$(dirname "$0")/lib.sh"
need is_root "needs root, for network namespaces"

veth() {
    ip link add "$1" type veth peer name "$1-o"
    ip link set "$1" up
    ip link set "$1-o" up
    bvs-vsctl --timeout=20 add-port br0 "$@"
}

n_lacp() {
    bvs-appctl lacp/show-stats lacp0 | sed -n 's/.*RX PDUs: //p'
}

all_arrived() {
    [ "$(n_lacp)" -ge "$1" ]
}

n_handled() {
    bvs-appctl worker/upcalls | sed -n "s/^$1.*: \([0-9]*\) handled.*/\1/p"
}

n_lost() {
    bvs-appctl worker/upcalls | sed -n "s/^$1: .* handled, \([0-9]*\) lost.*/\1/p"
}

# Each of the protocols has a ring of its own, in which nothing was lost.
none_lost() {
    for protocol in LACP 'STP or RSTP' BFD CFM LLDP; do
        [ "$(n_lost "$protocol")" = 0 ] || return 1
    done
}

flooded() {
    [ "$(n_handled 'controller action')" -gt 1000 ]
}

check start start_bvs
bvs-vsctl --timeout=20 add-br br0 -- set-fail-mode br0 secure
check flooding-port veth flood0 -- set interface flood0 ofport_request=1
check lacp-port veth lacp0 -- set interface lacp0 ofport_request=2 -- \
    set port lacp0 lacp=passive
ovs-ofctl add-flow br0 actions=controller
start_daemon monitor ovs-ofctl monitor br0 65534

# A thousand packets at once, again and again; beside them a LACP frame every
# 100 ms.
cat >"$dir/flood.py" <<'PYTHON'
import socket
import sys
import time

flood = socket.socket(socket.AF_PACKET, socket.SOCK_RAW)
flood.bind(("flood0-o", 0))
lacp = socket.socket(socket.AF_PACKET, socket.SOCK_RAW)
lacp.bind(("lacp0-o", 0))
packet = (bytes.fromhex("020000000001020000000002080045000032000000004011")
          + bytes(40))
frame = (bytes.fromhex("0180c2000002020000000003880901010114")
         + bytes(18) + bytes.fromhex("0214") + bytes(18)
         + bytes.fromhex("0310") + bytes(66))
for i in range(int(sys.argv[1])):
    until = time.time() + 0.1
    while time.time() < until:
        for _ in range(1000):
            try:
                flood.send(packet)
            except OSError:
                break
    lacp.send(frame)
PYTHON
before=$(n_lacp)
check flood /usr/bin/python3 "$dir/flood.py" 30
check was-flooded wait_until 20 flooded
check all-lacp-frames-arrived wait_until 20 all_arrived $((before + 30))
bvs-appctl worker/upcalls | sed 's/^/# /'
check lacp-had-its-ring sh -c \
    "bvs-appctl worker/upcalls | grep -q '^LACP: [1-9][0-9]* handled'"
check no-protocol-lost none_lost
check no-lacp-in-tables sh -c \
    "! grep -q 'dl_type=0x8809' '$dir/monitor.log'"
check accounted wait_until 20 sh -c \
    "bvs-appctl worker/totals | grep -q '^unaccounted: 0'"
bvs-vsctl --timeout=20 clear port lacp0 lacp
check stop stop_bvs
finish
