#!/bin/sh
# SPDX-License-Identifier: Apache-2.0
# timeout: 120
#
# Real programs through NORMAL, over veths as they come (offloads on): ICMP,
# TCP and UDP over IPv4 and IPv6, big packets, VLANs of ports, the fail modes,
# ports that come and go and flows that change under traffic, a restart.
#
# shellcheck disable=SC2015,SC2317,SC2119 # called through check; && is meant

if [ -z "${BVS_INSIDE:-}" ] && [ "$(id -u)" = 0 ]; then
    BVS_INSIDE=1 exec unshare --net "$0"
fi

# shellcheck source=tests/system/lib.sh
. "$(dirname "$0")/lib.sh"
need is_root "needs root, for network namespaces"
ip link set lo up

c4=10.0.0.1 s4=10.0.0.2 s6=fd00::2

no_tentative() {
    [ -z "$(in_ns "$1" ip -6 addr show tentative)" ]
}

pings() {
    in_ns "$1" ping -q -n -i 0.05 -W 1 -c "$3" "$2" >"$dir/ping.out" 2>&1
    grep -q " $3 received" "$dir/ping.out" || {
        cat "$dir/ping.out"
        return 1
    }
}

no_pings() {
    ! in_ns "$1" ping -q -n -i 0.1 -W 0.3 -c 2 "$2"
}

# iperf PORT ADDRESS OPTION...: its JSON in $dir/iperf.json.
iperf() {
    iperf_port=$1
    iperf_address=$2
    shift 2
    in_ns vs iperf3 -s -1 -D -p "$iperf_port" &&
        wait_until 5 in_ns vs sh -c "ss -Hltn | grep -q ':$iperf_port '" &&
        in_ns vc iperf3 -J -c "$iperf_address" -p "$iperf_port" "$@" \
            >"$dir/iperf.json" || {
        grep error "$dir/iperf.json"
        return 1
    }
}

# What was sent has come; of TCP, what the sender's kernel still held at the
# end has not.
came_whole() {
    /usr/bin/python3 - "$dir/iperf.json" "$1" <<'PYTHON'
import json, sys
end = json.load(open(sys.argv[1]))["end"]
if "sum_sent" in end:
    sent, came = end["sum_sent"]["bytes"], end["sum_received"]["bytes"]
    sys.exit(0 if sent and came >= sent * 0.2 else
             "%d bytes sent, %d came" % (sent, came))
lost = end["sum"]["lost_packets"]
sys.exit(0 if end["sum"]["packets"] >= int(sys.argv[2]) and not lost
         else "%(packets)d packets, %(lost_packets)d lost" % end["sum"])
PYTHON
}

transfer() {
    iperf "$@" && came_whole 100
}

rx_packets() {
    ovs-ofctl dump-ports br0 "$1" |
        sed -n 's/.*rx pkts=\([0-9]*\).*/\1/p'
}

flow_packets() {
    ovs-ofctl dump-flows br0 "$1" |
        sed -n 's/.*n_packets=\([0-9]*\).*/\1/p' |
        awk '{ n += $1 } END { print n + 0 }'
}

counts() {
    echo "$(rx_packets vc) $(rx_packets vs) $(flow_packets table=0)"
}

# Packets that devices received and the one flow there is did not meet: those
# that came before the device was a port.  Known once no packet comes between
# two looks at all counters.
unmet() {
    counted=$(counts)
    test "$(counts)" = "$counted" || return
    echo "$counted" | awk '{ print $1 + $2 - $3 }'
}

early_known() {
    early=$(unmet)
}

conserved() {
    prints "$early" unmet
}

check start start_bvs
check bridge bvs-vsctl add-br br0
check port-c ns_port br0 vc $c4/24
check port-s ns_port br0 vs $s4/24
in_ns vc ip addr add fd00::1/64 dev eth0
in_ns vs ip addr add $s6/64 dev eth0
wait_until 10 no_tentative vc
wait_until 10 no_tentative vs

wait_until 10 early_known
check ping pings vc $s4 20
check ping6 pings vc $s6 20
check ping-big in_ns vc ping -q -c 2 -i 0.1 -W 1 -s 8000 $s4
check ping6-big in_ns vc ping -6 -q -c 2 -i 0.1 -W 1 -s 8000 $s6
# Before TCP: the device counts a super-frame once, the switch cuts it up.
check counters wait_until 10 conserved
check tcp transfer 5301 $s4 -n 8M
check tcp-reverse transfer 5302 $s4 -n 8M -R
check tcp6 transfer 5303 $s6 -n 8M
head -c 2000000 /dev/urandom >"$dir/file"
start_daemon http ip netns exec "bvs-$$-vs" /usr/bin/python3 \
    -m http.server --bind :: --directory "$dir" 8000
wait_until 10 in_ns vs sh -c 'ss -Hltn | grep -q ":8000 "'
fetches() {
    in_ns vc curl -sS -m 20 -g -o "$dir/fetched" "http://$1:8000/file" &&
        cmp "$dir/fetched" "$dir/file"
}
check fetch fetches $s4
check fetch6 fetches "[$s6]"
check udp transfer 5304 $s4 -u -b 20M -n 1M
check udp6 transfer 5305 $s6 -u -b 20M -n 1M
check udp-fragments transfer 5306 $s4 -u -b 20M -n 1M -l 4000

# Changes under traffic.
in_ns vc ping -q -n -i 0.01 -c 150 $s4 >"$dir/flood.out" 2>&1 &
flood=$!
i=0
while kill -0 $flood 2>/dev/null && [ $i -lt 12 ]; do
    i=$((i + 1))
    {
        echo "delete"
        echo "add table=0,priority=$i actions=resubmit(,1)"
        echo "add table=1,priority=$i actions=NORMAL"
    } >"$dir/bundle.txt"
    ovs-ofctl --bundle -O OpenFlow14 add-flows br0 "$dir/bundle.txt" \
        >"$dir/bundle.out" 2>&1 || fail bundle "$(cat "$dir/bundle.out")"
done
wait $flood
check bundles-under-traffic grep -q ' 150 received' "$dir/flood.out"

in_ns vc ping -q -n -i 0.01 -c 150 $s4 >"$dir/flood.out" 2>&1 &
flood=$!
ip link add name vx type veth peer name vy
ip link set vx up
ip link set vy up
i=0
while [ $i -lt 4 ]; do
    i=$((i + 1))
    bvs-vsctl add-port br0 vx -- set interface vx ofport_request=9 &&
        bvs-vsctl del-port br0 vx || fail port-change "bvs-vsctl failed"
done
wait $flood
check ports-under-traffic grep -q ' 150 received' "$dir/flood.out"
ip link del vx

# Fail modes: a controller that does not answer.
bvs-vsctl set-fail-mode br0 secure -- set-controller br0 tcp:127.0.0.1:1
ovs-ofctl del-flows br0
check secure no_pings vc $s4
bvs-vsctl set-fail-mode br0 standalone
check standalone wait_until 20 pings vc $s4 1
bvs-vsctl del-controller br0
ovs-ofctl del-flows br0
ovs-ofctl add-flow br0 priority=0,actions=NORMAL

# VLANs of ports.
bvs-vsctl set port vc tag=10 -- set port vs tag=20
check vlan-apart no_pings vc $s4
bvs-vsctl set port vs tag=10
check vlan-same pings vc $s4 5
in_ns vs ethtool -K eth0 tx off >/dev/null
start_daemon tag ip netns exec "bvs-$$-vs" \
    "$TOP/tests/replay/captures/tagged-tap.py" vlan eth0 8100:10
wait_until 10 in_ns vs ip link show vlan
in_ns vs ip addr del $s4/24 dev eth0
in_ns vs ip addr add $s4/24 dev vlan
in_ns vs ip link set vlan up
in_ns vc ip neigh flush all
bvs-vsctl clear port vs tag -- set port vs trunks=10,11
check vlan-trunk pings vc $s4 5
check vlan-trunk-tcp transfer 5307 $s4 -n 8M
bvs-vsctl set port vs trunks=11
check vlan-not-trunked no_pings vc $s4
bvs-vsctl set port vs trunks=10

# The database remembers.
check stop stop_bvs
check silent-when-stopped no_pings vc $s4
check restart start_bvs
check after-restart wait_until 10 pings vc $s4 1
check no-warnings sh -c "! grep -E '\\|(ERR|EMER)\\|' $OVS_LOGDIR/*.log"
finish
