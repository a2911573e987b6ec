#!/bin/sh
# SPDX-License-Identifier: Apache-2.0
# shellcheck disable=SC2317 # functions are called through check
#
# --perf-map: what perf(1) calls the switch's machine code.

# shellcheck source=tests/system/lib.sh
. "$(dirname "$0")/lib.sh"

need 'ovs-ofctl --version' 'there is no stock ovs-ofctl'

vsctl() {
    bvs-vsctl -t 30 "$@"
}

# The map names code by this pattern.
names() {
    grep -q -E "^[0-9a-f]+ [0-9a-f]+ bvs:$1\$" "$map"
}

start_bvs --perf-map --enable-dummy || {
    fail start
    finish
}
map=/tmp/perf-$(bvs_pid).map
at_exit "rm -f $map"

vsctl add-br br-perf -- set bridge br-perf datapath_type=dummy \
    fail-mode=secure || fail add-br
ovs-ofctl -t 30 add-flow br-perf 'table=5,udp,tp_dst=53,actions=drop' ||
    fail add-flow

check stubs names 'stub:burst'
check parse names 'parse:[A-Za-z0-9]+-[0-9]+'
check table names 'br-perf:table5:[a-z]+'
check empty-table names 'table7:empty'
check actions names 'actions:[0-9]+'

stop_bvs || fail exit
finish
