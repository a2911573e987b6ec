#!/bin/sh
# SPDX-License-Identifier: Apache-2.0
# timeout: 90
#
# AF_XDP over veths as they come (offloads on): real programs between AF_XDP
# ports and with a Linux port, modes, what is left behind after the end and
# after kill -9, what cannot be.
#
# shellcheck disable=SC2317,SC2119 # called through check

if [ -z "${BVS_INSIDE:-}" ] && [ "$(id -u)" = 0 ]; then
    BVS_INSIDE=1 exec unshare --net "$0"
fi

# shellcheck source=tests/system/lib.sh
. "$(dirname "$0")/lib.sh"
need is_root "needs root, for network namespaces"
ip link set lo up

# xdp_port NAME N [OPTION]...: like ns_port, with type afxdp.
xdp_port() {
    xdp_name=$1
    xdp_n=$2
    shift 2
    ns_add "$xdp_name" || return 1
    ip link add name "$xdp_name" type veth peer name eth0 netns "$ns" ||
        return 1
    at_exit "ip link del $xdp_name"
    ip -n "$ns" addr add "10.0.0.$xdp_n/24" dev eth0
    ip -n "$ns" addr add "fd00::$xdp_n/64" dev eth0 nodad
    ip -n "$ns" link set eth0 up
    ip link set "$xdp_name" up
    bvs-vsctl add-port br0 "$xdp_name" -- \
        set interface "$xdp_name" "$@"
}

pings() {
    in_ns "$1" ping -q -n -i 0.05 -W 1 -c 10 "$2" >"$dir/ping.out" 2>&1
    grep -q ' 10 received' "$dir/ping.out" || {
        cat "$dir/ping.out"
        return 1
    }
}

# transfer SERVER ADDRESS OPTION...: iperf3 from xa.
port=5400
transfer() {
    port=$((port + 1))
    server=$1
    address=$2
    shift 2
    in_ns "$server" iperf3 -s -1 -D -p "$port" &&
        wait_until 5 in_ns "$server" \
            sh -c "ss -Hltn | grep -q ':$port '" &&
        in_ns xa iperf3 -c "$address" -p "$port" "$@"
}

has_xdp() {
    ip link show dev "$1" | grep -q xdp
}

no_xdp() {
    ! has_xdp "$1"
}

mode() {
    prints "$2" bvs-vsctl get interface "$1" status:xdp-mode-in-use
}

# says NAME TEXT: the error of interface NAME has TEXT.
says() {
    wait_until 10 sh -c "bvs-vsctl get interface $1 error | grep -qF \"$2\"" ||
        bvs-vsctl get interface "$1" error
}

check start start_bvs
bvs-vsctl add-br br0
check port-a xdp_port xa 1 type=afxdp
check port-b xdp_port xb 2 type=afxdp
check linux-port xdp_port xl 3 type=system
check native mode xa native
check attached has_xdp xa
check shown sh -c 'bvs-appctl worker/show | grep -q "queue 0 of xa (afxdp)"'

check ping wait_until 10 pings xa 10.0.0.2
check ping6 wait_until 10 pings xa fd00::2
check tcp transfer xb 10.0.0.2 -n 4M
check tcp-reverse transfer xb 10.0.0.2 -n 4M -R
check tcp6 transfer xb fd00::2 -n 4M
check udp transfer xb 10.0.0.2 -u -b 20M -n 1M
check udp6 transfer xb fd00::2 -u -b 20M -n 1M
check tcp-to-linux transfer xl 10.0.0.3 -n 4M
check tcp-from-linux transfer xl 10.0.0.3 -n 4M -R
check tcp6-from-linux transfer xl fd00::3 -n 4M -R

# Modes.
bvs-vsctl set interface xb options:xdp-mode=generic
check generic wait_until 10 mode xb generic
check ping-generic wait_until 10 pings xa 10.0.0.2
bvs-vsctl set interface xb options:xdp-mode=native \
    options:use-need-wakeup=false
check native-again wait_until 10 mode xb native
check ping-no-wakeup wait_until 10 pings xa 10.0.0.2

# What cannot be; the port works on.
bvs-vsctl set interface xb options:xdp-mode=best 2>"$dir/err"
check bad-mode says xb "xdp-mode: 'best' is neither"
bvs-vsctl set interface xb options:xdp-mode=native options:n_rxq=999 \
    2>"$dir/err"
check bad-queues says xb "not a number from 1 to 64"
bvs-vsctl set interface xb options:n_rxq=63 2>"$dir/err"
check too-many-queues says xb "but the device has"
bvs-vsctl remove interface xb options n_rxq
ip link add xm mtu 9000 type veth peer name xn
at_exit "ip link del xm"
ip link set xm up
ip link set xn up
bvs-vsctl add-port br0 xm -- set interface xm type=afxdp 2>"$dir/err"
check bad-mtu says xm "MTU of 9000 is too large"
bvs-vsctl add-port br0 xo -- set interface xo type=afxdp 2>"$dir/err"
check no-device says xo "No such device"
ip link add xo type veth peer name xp
at_exit "ip link del xo"
ip link set xo up
ip link set xp up
appears() {
    mode xo native
}
check appears wait_until 10 appears
bvs-vsctl del-port br0 xo
check detached no_xdp xo
check ping-after wait_until 10 pings xa 10.0.0.2

# Killed, and what the next one finds.
kill -9 "$(bvs_pid)"
wait_gone 5 "$(bvs_pid)"
check left-behind has_xdp xa
check restart start_bvs
check ping-restarted wait_until 10 pings xa 10.0.0.2
check stop stop_bvs
check nothing-left no_xdp xa
check nothing-left-b no_xdp xb
finish
