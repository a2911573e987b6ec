#!/bin/sh
# SPDX-License-Identifier: Apache-2.0
# timeout: 120
#
# A controller in charge of real traffic: an L2-learning application on
# os_ken with OpenFlow 1.0, 1.3 and 1.5; packet-in, packet-out, timeouts and
# flow-removed; stock ovs-ofctl with every version.
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

pings() {
    in_ns vc ping -q -n -i 0.1 -W 2 -c "$1" 10.0.0.2 >"$dir/ping.out" 2>&1
    grep -q " $1 received" "$dir/ping.out" || {
        cat "$dir/ping.out" "$dir"/learning*.log
        return 1
    }
}

says() {
    grep -q "$1" "$dir/learning$version.log"
}

counts() {
    [ "$(grep -c "$1" "$dir/learning$version.log")" -ge "$2" ]
}

check start start_bvs
bvs-vsctl add-br br0 -- set-fail-mode br0 secure
ns_port br0 vc 10.0.0.1/24
ns_port br0 vs 10.0.0.2/24
for ns_name in vc vs; do
    in_ns $ns_name sysctl -qw net.ipv6.conf.eth0.disable_ipv6=1
done

for version in 1.0 1.3 1.5; do
    ovs-ofctl del-flows br0
    in_ns vc ip neigh flush all
    start_daemon "learning$version" "$TOP/tests/controllers/learning.py" \
        --version $version --idle 1
    learning=$pid
    bvs-vsctl set-controller br0 tcp:127.0.0.1:6653
    check "up-$version" wait_until 20 says '^up'
    check "ping-$version" pings 5
    check "packet-in-$version" counts '^packet-in' 2
    check "learned-$version" counts '^learned' 2
    check "flows-$version" counts '^flow ' 2
    # The echo requests that the controller did not see met the flow.
    check "flow-removed-$version" wait_until 10 says \
        '^flow-removed .* [1-9][0-9]* [1-9][0-9]* 0$'
    check "no-error-$version" sh -c "! grep ^error $dir/learning$version.log"
    bvs-vsctl del-controller br0
    check "down-$version" wait_until 10 says '^down'
    end_process "$learning"
done

# Packet-out, by stock ovs-ofctl, seen on the wire.
start_daemon watch ip netns exec "bvs-$$-vs" \
    tcpdump -enlU -i eth0 -c 1 ether proto 0x88b5
wait_until 10 grep -q 'listening on' "$dir/watch.log"
check packet-out ovs-ofctl -O OpenFlow13 packet-out br0 \
    "in_port=controller packet=02000000000b02000000000a88b5$(printf \
        '%092d' 0) actions=output:vs"
check packet-out-arrives wait_until 5 grep -q '0x88b5' "$dir/watch.log"

# Packet-in, with the bytes that came.
ovs-ofctl del-flows br0
ovs-ofctl add-flow br0 arp,actions=controller
start_daemon monitor ovs-ofctl monitor br0 65534 \
    --unixctl="$OVS_RUNDIR/monitor.ctl"
wait_until 10 test -S "$OVS_RUNDIR/monitor.ctl"
in_ns vc ip neigh flush all
in_ns vc ping -q -c 1 -W 1 10.0.0.2 >/dev/null
check packet-in wait_until 5 grep -q \
    'arp_spa=10.0.0.1,arp_tpa=10.0.0.2' "$dir/monitor.log"
end_process "$pid"

# Timeouts.
ovs-ofctl del-flows br0
ovs-ofctl add-flow br0 priority=5,actions=NORMAL
check normal wait_until 10 pings 1
ovs-ofctl del-flows br0
ovs-ofctl add-flow br0 hard_timeout=2,priority=5,actions=NORMAL
check before-hard-timeout pings 1
gone() {
    ! ovs-ofctl dump-flows br0 | grep -q priority=5
}
check hard-timeout wait_until 5 gone
check after-hard-timeout sh -c "! ip netns exec bvs-$$-vc \
    ping -q -c 2 -i 0.1 -W 0.3 10.0.0.2"

# Every version sees the same flow.
ovs-ofctl add-flow br0 priority=7,ip,nw_dst=10.0.0.2,actions=NORMAL
for version in 10 11 12 13 14 15; do
    check "dump-$version" sh -c "ovs-ofctl -O OpenFlow$version dump-flows br0 |
        grep -q 'priority=7,ip,nw_dst=10.0.0.2 actions=NORMAL'"
done
finish
