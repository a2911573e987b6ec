#!/bin/sh
# SPDX-License-Identifier: Apache-2.0
#
# `make demo': a new user's first minute.  Two network namespaces, a web
# server in one of them, and bvs between them:
#
#     h1 10.0.0.1 --- port h1 [ br0 ] port h2 --- 10.0.0.2 h2
#
# Each sentence that is printed carries a value that was measured; a step
# that did not happen ends the demo with a failure.  Nothing is left behind:
# all of it happens in a network namespace of its own, so that it cannot meet
# devices of the same names either.
#
# shellcheck disable=SC2154,SC2015,SC2119 # lib.sh sets dir and pid; die does not go on

if [ -z "${BVS_DEMO_INSIDE:-}" ]; then
    [ "$(id -u)" = 0 ] || {
        echo "make demo needs root for its network namespaces;" \
            "make demo-replay does not" >&2
        exit 1
    }
    BVS_DEMO_INSIDE=1 exec unshare --net sh "$0"
fi

# shellcheck source=tests/system/lib.sh
. "$(dirname "$0")/../system/lib.sh"

PORT=8000
LEARNING=$TOP/tests/controllers/learning.py

say() {
    printf '%s\n' "$*"
}

step() {
    printf '\n== %s\n' "$*"
}

die() {
    printf '\nFAILED: %s\n' "$*" >&2
    for log in "$OVS_LOGDIR/ovs-vswitchd.log" "$dir/controller.log"; do
        [ -s "$log" ] && tail -n 5 "$log" >&2
    done
    exit 1
}

# Shows a command and runs it.
run() {
    printf '  $ %s\n' "$*"
    "$@" >"$dir/run.out" 2>&1 || die "$* failed: $(cat "$dir/run.out")"
}

show() {
    sed 's/^/    /' "$1"
}

# -- What is measured --

# Pings from h1; sets $received and $rtt (the average, in ms).
ping_h2() {
    in_ns h1 ping -n -c 3 -i 0.2 -W 2 10.0.0.2 >"$dir/ping.out" 2>&1
    received=$(sed -n 's/.* \([0-9]*\) received.*/\1/p' "$dir/ping.out")
    rtt=$(sed -n 's|^rtt [^=]*= [^/]*/\([^/]*\)/.*|\1|p' "$dir/ping.out")
}

# Fetches the page from h1; sets $status, $bytes and $seconds.
fetch() {
    fetched=$(in_ns h1 curl -s -m "${1:-5}" -o "$dir/page" \
        -w '%{http_code} %{size_download} %{time_total}' \
        "http://10.0.0.2:$PORT/") || true
    status=${fetched%% *}
    seconds=${fetched##* }
    bytes=${fetched#* }
    bytes=${bytes% *}
}

fetch_works() {
    fetch
    [ "$status" = 200 ] && [ "$bytes" -gt 0 ]
}

# Packets that the flows with a text in their line have matched.
n_packets() {
    ovs-ofctl -O OpenFlow13 dump-flows br0 | grep -F -- "$1" |
        sed -n 's/.*n_packets=\([0-9]*\).*/\1/p' |
        awk '{ n += $1 } END { print n + 0 }'
}

dropped_by() {
    bvs-appctl drop/show br0 --json >"$dir/drops.json" || return 1
    /usr/bin/python3 - "$1" "$dir/drops.json" <<'PYTHON'
import json
import sys

cookie = int(sys.argv[1], 0)
with open(sys.argv[2]) as f:
    rows = json.load(f)
rows = rows["drops"] if isinstance(rows, dict) else rows
print(sum(row["packets"] for row in rows
          if int(str(row["cookie"]), 0) == cookie))
PYTHON
}

# -- Steps --

start() {
    step "A switch, with its own database: one process"
    began=$(now_ms)
    ip link set lo up
    start_bvs || die "the daemon did not start"
    bvs-vsctl add-br br0 || die "the bridge was not made"
    for host in 1 2; do
        ns_port br0 "h$host" "10.0.0.$host/24" || die "h$host was not made"
        in_ns "h$host" sysctl -qw net.ipv6.conf.eth0.disable_ipv6=1
    done
    mkdir "$dir/www"
    say '<p>Hello from the other side of the switch.</p>' \
        >"$dir/www/index.html"
    start_daemon web ip netns exec "bvs-$$-h2" /usr/bin/python3 \
        -m http.server -d "$dir/www" "$PORT"
    say "bvs-vswitchd $(bvs_pid) runs, bridge br0 has ports" \
        "$(bvs-vsctl list-ports br0 | tr '\n' ' ')after" \
        "$(($(now_ms) - began)) ms."
}

normal() {
    step "NORMAL: the switch learns addresses"
    ping_h2
    [ "${received:-0}" = 3 ] || die "$received of 3 pings came back"
    say "$received of 3 pings came back, in $rtt ms on average."
    wait_until 10 fetch_works || die "the page was not fetched: $fetched"
    say "A page of $bytes bytes came over TCP in $seconds s."
    bvs-appctl fdb/show br0 >"$dir/fdb"
    learned=$(($(wc -l <"$dir/fdb") - 1))
    [ "$learned" -ge 2 ] || die "only $learned addresses were learned"
    say "$learned addresses were learned:"
    show "$dir/fdb"
}

in_charge() {
    [ "$(bvs-vsctl --columns=is_connected --bare list Controller)" = true ]
}

controller() {
    step "A controller in charge: an L2-learning application on os_ken"
    start_daemon controller /usr/bin/python3 "$LEARNING" --port 16653
    run bvs-vsctl set-fail-mode br0 secure
    run bvs-vsctl set-controller br0 tcp:127.0.0.1:16653
    wait_until 15 in_charge || die "the controller did not connect"
    wait_until 10 grep -q '^up ' "$dir/controller.log" ||
        die "the controller saw no switch"
    ping_h2
    [ "${received:-0}" = 3 ] || die "$received of 3 pings came back"
    wait_until 10 fetch_works || die "the page was not fetched: $fetched"
    packet_ins=$(grep -c '^packet-in ' "$dir/controller.log")
    flows=$(grep -c '^flow ' "$dir/controller.log")
    matched=$(n_packets 'priority=10,')
    [ "$flows" -ge 2 ] && [ "$matched" -gt 0 ] ||
        die "$flows flows came from the controller, $matched packets met them"
    say "$received of 3 pings came back in $rtt ms, $bytes bytes came over" \
        "TCP; the controller saw $packet_ins packets and made $flows flows," \
        "which forwarded $matched packets without it."
    run bvs-vsctl del-controller br0
    run ovs-ofctl del-flows br0
    run ovs-ofctl add-flow br0 priority=0,actions=NORMAL
}

acl() {
    step "An ACL, with ovs-ofctl: no web for h1"
    run ovs-ofctl add-flow br0 \
        "cookie=0xac1,priority=100,tcp,nw_src=10.0.0.1,tp_dst=$PORT,actions=drop"
    fetch 2
    [ "$status" = 000 ] || die "the page was fetched: $fetched"
    blocked=$(n_packets 'cookie=0xac1')
    dropped=$(dropped_by 0xac1) || die "drop/show did not answer"
    [ "$blocked" -gt 0 ] && [ "$dropped" = "$blocked" ] ||
        die "the rule met $blocked packets, drop/show says $dropped"
    say "The fetch failed after $seconds s: the rule met $blocked packets," \
        "and drop/show knows why $dropped packets went nowhere:"
    bvs-appctl drop/show br0 >"$dir/drops"
    show "$dir/drops"
    run ovs-ofctl del-flows br0 cookie=0xac1/-1
    wait_until 10 fetch_works || die "the page was not fetched: $fetched"
    say "Without the rule the page comes again: $bytes bytes in $seconds s."
}

# tcpdump ends when it has its packets, or with the demo.
vlan() {
    step "A VLAN rewrite: frames to h2 leave with tag 42"
    start_daemon tcpdump ip netns exec "bvs-$$-h2" tcpdump -U -n -e -c 3 \
        -i eth0 -w "$dir/vlan.pcap" 'vlan 42'
    wait_until 10 grep -q 'listening on' "$dir/tcpdump.log" ||
        die "tcpdump does not run"
    run ovs-ofctl add-flow br0 \
        "priority=200,in_port=h1,icmp,actions=mod_vlan_vid:42,output:h2"
    ping_h2
    wait_gone 5 "$pid" || die "no tagged frames arrived"
    tagged=$(tcpdump -n -e -r "$dir/vlan.pcap" 2>/dev/null |
        grep -c 'vlan 42,.*ICMP echo request')
    met=$(n_packets 'priority=200,')
    [ "$tagged" = 3 ] && [ "$met" -ge 3 ] ||
        die "$tagged tagged frames arrived, the rule met $met packets"
    say "$met echo requests met the rule, $tagged frames with tag 42 arrived" \
        "at h2:"
    tcpdump -n -e -r "$dir/vlan.pcap" 2>/dev/null | cut -c 17-120 \
        >"$dir/tagged"
    show "$dir/tagged"
}

programs() {
    step "What runs: flows, counters, and the eBPF of table 0"
    ovs-ofctl -O OpenFlow13 dump-flows br0 >"$dir/flows"
    grep -q 'n_packets=[1-9]' "$dir/flows" || die "no flow has counted"
    show "$dir/flows"
    bvs-appctl pipeline/show br0 0 insns >"$dir/program" ||
        die "pipeline/show did not answer"
    insns=$(grep -cE '^ +[0-9]+: ' "$dir/program")
    [ "$insns" -gt 10 ] || die "table 0 has $insns instructions"
    say "Table 0 and its actions are $insns eBPF instructions, verified;" \
        "the first of them:"
    head -n 20 "$dir/program" >"$dir/first"
    show "$dir/first"
}

start
normal
controller
acl
vlan
programs
step "A policy tested over a capture, without root (make demo-replay)"
BUILD=$BUILD sh "$TOP/tests/demo/replay.sh" || die "the replay failed"
stop_bvs || die "the daemon did not end"
printf '\nAll of it happened in %s s.\n' \
    "$((($(now_ms) - began) / 1000))"
