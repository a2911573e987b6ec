#!/bin/sh
# SPDX-License-Identifier: Apache-2.0
# timeout: 300
#
# A small router and a monitor, applications on os_ken, with OpenFlow 1.0,
# 1.3 and 1.5.
#
# shellcheck disable=SC2317,SC2119 # functions are called through check

if [ -z "${BVS_INSIDE:-}" ] && [ "$(id -u)" = 0 ]; then
    BVS_INSIDE=1 exec unshare --net "$0"
fi

# shellcheck source=tests/system/lib.sh
. "$(dirname "$0")/lib.sh"
need is_root "needs root, for network namespaces"
need has_os_ken "there is no os_ken"
ip link set lo up

# Lines of the application that match $1.
says() {
    grep -q "$1" "$dir/$app$version.log"
}

listens() {
    ss -Hltn 'sport = 6653' | grep -q LISTEN
}

no_error() {
    ! grep -E '^error|Traceback' "$dir/$app$version.log"
}

# 5 echo requests from a to $1, option $2; each has an answer with $3.
pings() {
    # The first one may wait for ARP.
    wait_until 20 in_ns ra ping -n -W 1 -c 1 "$1"
    # shellcheck disable=SC2086 # nothing, or two words
    in_ns ra ping -n -i 0.1 -W 2 -c 5 $2 "$1" >"$dir/ping.out" 2>&1
    [ "$(grep -c "$3" "$dir/ping.out")" = 5 ] || {
        cat "$dir/ping.out" "$dir/$app$version.log"
        return 1
    }
}

# Application $1 with the rest as its options is in charge of br0.
start_app() {
    app=$1
    shift
    ovs-ofctl del-flows br0
    for name in ra rb; do
        in_ns $name ip neigh flush all
    done
    start_daemon "$app$version" "$TOP/tests/controllers/$app.py" \
        --version "$version" "$@"
    application=$pid
    wait_until 60 listens
    bvs-vsctl set-controller br0 tcp:127.0.0.1:6653
    check "$app $version: in charge" wait_until 30 says '^up'
}

stop_app() {
    check "$app $version: no error" no_error
    bvs-vsctl del-controller br0
    check "$app $version: knows that the switch left" \
        wait_until 10 says '^down'
    end_process "$application"
}

check start start_bvs
bvs-vsctl add-br br0 -- set-fail-mode br0 secure
ns_port br0 ra 10.1.0.1/24
ns_port br0 rb 10.2.0.1/24
for name in ra rb; do
    in_ns $name sysctl -qw net.ipv6.conf.eth0.disable_ipv6=1
done
in_ns ra ip route add default via 10.1.0.254
in_ns rb ip route add default via 10.2.0.254

for version in 1.0 1.3 1.5; do
    ttl='ttl=63'
    [ $version = 1.0 ] && ttl='ttl=64'
    start_app router --ports 1=10.1.0.254/24,2=10.2.0.254/24
    check "router $version: answers" pings 10.1.0.254 '' 'ttl=64'
    check "router $version: routes" pings 10.2.0.1 '' "$ttl"
    check "router $version: by flows" sh -c \
        "ovs-ofctl dump-flows br0 nw_dst=10.2.0.1,ip |
            grep -q 'n_packets=[4-9].*output:\\(2\\|\"*rb\\)'"
    if [ $version != 1.0 ]; then
        check "router $version: time exceeded" pings 10.2.0.1 '-t 1' \
            'Time to live exceeded'
        check "router $version: from its own address" \
            grep -q 'From 10.1.0.254' "$dir/ping.out"
    fi
    stop_app

    start_app monitor
    ovs-ofctl add-flow br0 priority=77,actions=drop
    # Five packets of 60 bytes, counted by rule and port.
    in_ns ra python3 -c '
import socket
s = socket.socket(socket.AF_PACKET, socket.SOCK_RAW)
s.bind(("eth0", 0))
for i in range(5):
    s.send(b"\2\0\0\0\0\1\2\0\0\0\0\2\x88\xb5" + bytes(46))'
    check "monitor $version: who it is" wait_until 10 says \
        '^desc [0-9a-f]* .*[A-Z]'
    check "monitor $version: a flow's packets" wait_until 10 says \
        '^flow [0-9a-f]* 77 5 300$'
    check "monitor $version: a port's" wait_until 10 says \
        '^ports [0-9a-f]* 1 \([5-9]\|[1-9][0-9]\)'
    check "monitor $version: a table's flows" wait_until 10 says \
        '^table [0-9a-f]* 0 [12]$'
    if [ $version != 1.5 ]; then
        check "monitor $version: all flows together" wait_until 10 says \
            '^aggregate [0-9a-f]* [0-9]* [0-9]* [12]$'
    fi
    in_ns rb ip link set eth0 down
    check "monitor $version: a link that fails" wait_until 10 says \
        '^port-status [0-9a-f]* 2 True'
    in_ns rb ip link set eth0 up
    in_ns rb ip route replace default via 10.2.0.254
    check "monitor $version: and is back" wait_until 10 says \
        '^port-status [0-9a-f]* 2 False'
    stop_app
done
check 'the daemon ends' stop_bvs
finish
