#!/bin/sh
# SPDX-License-Identifier: Apache-2.0
# timeout: 120
#
# other_config:metrics: what it serves, to a parser of OpenMetrics; when it
# listens; and under clients that are slow, broken or hostile.
#
# shellcheck disable=SC2317 # functions are called through check

# shellcheck source=tests/system/lib.sh
. "$(dirname "$0")/lib.sh"

metrics() {
    /usr/bin/python3 "$TOP/tests/system/metrics.py" "$@"
}
has_parser() {
    /usr/bin/python3 -c 'import prometheus_client.openmetrics.parser'
}
need has_parser "there is no python3-prometheus-client"

port=$(/usr/bin/python3 -c 'import socket
s = socket.socket(); s.bind(("127.0.0.1", 0)); print(s.getsockname()[1])')

get() {
    metrics get "http://127.0.0.1:$port/metrics$1" >"$dir/metrics"
}
# Is this line among those that were got last?
has() {
    grep -qxF -- "$1" "$dir/metrics" || {
        cat "$dir/metrics"
        return 1
    }
}
lacks() {
    ! grep -q "$1" "$dir/metrics"
}
answers() {
    prints "$1" metrics status "$port" "$2"
}
listens() {
    get ''
}
is_silent() {
    ! get ''
}
# Memory of the daemon that it alone has, in KB.
memory() {
    awk '/^RssAnon/ { print $2 }' "/proc/$(cat "$dir/run/ovs-vswitchd.pid")/status"
}
hostile() {
    prints "30 30" metrics hostile "$port"
}
is_bounded() {
    [ $(($(memory) - before)) -lt 16384 ]
}

check starts start_bvs --enable-dummy --disable-system
check bridge bvs-vsctl add-br br0 -- \
    set bridge br0 datapath_type=dummy fail-mode=secure \
    other_config:disable-in-band=true -- \
    add-port br0 p1 -- set interface p1 type=dummy ofport_request=1 -- \
    add-port br0 p2 -- set interface p2 type=dummy ofport_request=2 -- \
    set-controller br0 tcp:127.0.0.1:1
check off-by-default is_silent

cat >"$dir/flows" <<EOF
table=0,cookie=0x5,priority=2,in_port=1,ip actions=goto_table:3
table=0,cookie=0x5,priority=1,in_port=2 actions=drop
table=3,cookie=0x7 actions=output:2
EOF
check flows ovs-ofctl -OOpenFlow13 add-flows br0 "$dir/flows"
for i in 1 2 3; do
    bvs-appctl netdev-dummy/receive p1 "in_port(1),eth(),eth_type(0x0800),\
ipv4(src=10.0.0.$i,dst=10.0.0.9)"
done
bvs-appctl netdev-dummy/receive p2 'in_port(2),eth(),eth_type(0x1234)'
bvs-appctl revalidator/wait

check on bvs-vsctl set open_vswitch . "other_config:metrics=ptcp:$port:127.0.0.1"
check listens wait_until 10 listens
check port-received has \
    'bvs_port_receive_packets_total{bridge="br0",port="p1",number="1"} 3'
check port-sent has \
    'bvs_port_transmit_packets_total{bridge="br0",port="p2",number="2"} 3'
check port-up grep -q '^bvs_port_up{bridge="br0",port="p1"' "$dir/metrics"
check drops has 'bvs_drops_total{bridge="br0",reason="action"} 1'
check dropped has 'bvs_dropped_packets_total{} 1'
check lookups has 'bvs_table_lookups_total{bridge="br0",table="0"} 4'
check matches has 'bvs_table_matches_total{bridge="br0",table="3"} 3'
check rules has 'bvs_table_rules{bridge="br0",table="0"} 2'
check maps grep -q '^bvs_table_map_bytes{bridge="br0",table="3",plan=' \
    "$dir/metrics"
check worker grep -q '^bvs_worker_cycles_total{worker="main",stage="programs"}' \
    "$dir/metrics"
check controller grep -q \
    '^bvs_controller_connected{bridge="br0",target="tcp:127.0.0.1:1",.*} 0$' \
    "$dir/metrics"
check no-cookies-unasked lacks bvs_cookie

check asked get '?rules'
check cookie has \
    'bvs_cookie_packets_total{bridge="br0",table="0",cookie="0x5"} 4'
check cookie-rules has 'bvs_cookie_rules{bridge="br0",table="0",cookie="0x5"} 2'
check cookie-table has \
    'bvs_cookie_packets_total{bridge="br0",table="3",cookie="0x7"} 3'
check nothing-skipped has 'bvs_cookie_skipped{} 0'

check head answers '200 False' 'HEAD /metrics HTTP/1.1\r\n\r\n'
check elsewhere answers '404 True' 'GET / HTTP/1.1\r\n\r\n'
check post answers '405 True' 'POST /metrics HTTP/1.1\r\n\r\n'
check garbage answers '400 True' '\x16\x03\x01'
check old answers '200 True' 'GET /metrics HTTP/1.0\n\n'

before=$(memory)
check hostile hostile
check bounded-memory is_bounded
check answers-others bvs-vsctl --timeout=5 list-br

# An address that cannot be listened on.
check bad-address bvs-vsctl set open_vswitch . \
    "other_config:metrics=ptcp:$port:256.0.0.1"
check not-there wait_until 10 is_silent
check back bvs-vsctl set open_vswitch . \
    "other_config:metrics=ptcp:$port:127.0.0.1"
check listens-again wait_until 10 listens
check off bvs-vsctl remove open_vswitch . other_config metrics
check silent wait_until 10 is_silent
check stops stop_bvs
finish
