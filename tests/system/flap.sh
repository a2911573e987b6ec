#!/bin/sh
# SPDX-License-Identifier: Apache-2.0
# timeout: 120
# serial
#
# A flood of packet-ins makes neither LACP nor BFD flap: both ends of a link are
# bridges of the daemon that is flooded, and neither sees the other expire.
#
# shellcheck disable=SC2317 # called through check

if [ -z "${BVS_INSIDE:-}" ] && [ "$(id -u)" = 0 ]; then
    BVS_INSIDE=1 exec unshare --net "$0"
fi

# shellcheck source=tests/system/lib.sh
. "$(dirname "$0")/lib.sh"
need is_root "needs root, for devices"

# A device of the name $1 with the other end $2.
veth() {
    ip link add "$1" type veth peer name "$2"
    ip link set "$1" up
    ip link set "$2" up
}

vsctl() {
    bvs-vsctl -t 20 "$@"
}

bfd() {
    vsctl get interface "$1" "bfd_status:$2" | tr -d '"'
}
lacp_expired() {
    bvs-appctl -T 20 lacp/show-stats "$1" |
        sed -n 's/.*Link Expired: //p' | tr '\n' ' '
}
lacp_up() {
    [ "$(bvs-appctl -T 20 lacp/show "$1" | grep -c 'current attached')" = 2 ]
}
bfd_up() {
    [ "$(bfd "$1" state)" = up ]
}
flaps() {
    for i in a0 b0 a1 b1; do
        lacp=$(vsctl get interface "$i" lacp_current)
        echo "$i $(bfd "$i" state) $(bfd "$i" flap_count) $lacp"
    done
    lacp_expired bonda
    lacp_expired bondb
}
n_packet_ins() {
    bvs-appctl -T 20 worker/upcalls |
        sed -n 's/^controller action.*: \([0-9]*\) handled.*/\1/p'
}

check 'starts' start_bvs
ip link set lo up
veth a0 b0
veth a1 b1
veth flood0 flood1
check 'two bridges' vsctl -- add-br bra -- set-fail-mode bra secure \
    -- add-br brb -- set-fail-mode brb secure \
    -- add-bond bra bonda a0 a1 lacp=active bond_mode=balance-tcp \
    -- set port bonda other_config:lacp-time=fast \
    -- add-bond brb bondb b0 b1 lacp=active bond_mode=balance-tcp \
    -- set port bondb other_config:lacp-time=fast \
    -- add-port bra flood0
for i in a0 b0 a1 b1; do
    vsctl set interface "$i" bfd:enable=true bfd:min_rx=300 bfd:min_tx=300 \
        bfd:mult=4
done
for i in bonda bondb; do
    check "LACP of $i" wait_until 30 lacp_up "$i"
done
for i in a0 b0 a1 b1; do
    check "BFD of $i" wait_until 30 bfd_up "$i"
done
ovs-ofctl add-flow bra in_port=flood0,actions=controller
start_daemon monitor ovs-ofctl monitor bra 65534
flaps >"$dir/before"
before=$(n_packet_ins)

# As fast as it goes, for three times the time after which both give up.
check 'floods' /usr/bin/python3 - <<'PYTHON'
import socket
import time

s = socket.socket(socket.AF_PACKET, socket.SOCK_RAW)
s.bind(("flood1", 0))
packet = bytes.fromhex("020000000001020000000002080045000032") + bytes(46)
until = time.time() + 9
while time.time() < until:
    try:
        s.send(packet)
    except OSError:
        pass
PYTHON
echo "# $(($(n_packet_ins) - before)) packet-ins"
was_flooded() {
    [ "$(n_packet_ins)" -gt $((before + 10000)) ]
}
check 'many packet-ins' was_flooded
same() {
    flaps | diff "$dir/before" -
}
check 'nothing has flapped' same
check 'stops' stop_bvs
finish
