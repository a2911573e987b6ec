#!/bin/sh
# SPDX-License-Identifier: Apache-2.0
# shellcheck disable=SC2317 # functions are called through check
# timeout: 120
#
# Commands that people and scripts send to ovs-vswitchd: each does what it
# says, or answers with one line that explains; none fails.

# shellcheck source=tests/system/lib.sh
. "$(dirname "$0")/lib.sh"
need 'ovs-appctl --version' 'there is no stock ovs-appctl'

appctl() {
    ovs-appctl -T 10 -t "$OVS_RUNDIR/ovs-vswitchd.$(bvs_pid).ctl" "$@"
}

# The command succeeds and its output has TEXT (a regular expression; - for
# any, or none).
real() {
    real_text=$1
    shift
    if ! appctl "$@" >"$dir/out" 2>&1 || { [ "$real_text" != - ] &&
        ! grep -qE -- "$real_text" "$dir/out"; }; then
        cat "$dir/out"
        return 1
    fi
}
# It succeeds with one line.
explains() {
    if ! appctl "$@" >"$dir/out" 2>&1 ||
        [ "$(grep -c . "$dir/out")" != 1 ]; then
        cat "$dir/out"
        return 1
    fi
}

check 'starts' start_bvs --enable-dummy --disable-system
check 'bridge' bvs-vsctl -t 10 add-br br0 -- set bridge br0 \
    datapath_type=dummy mcast_snooping_enable=true stp_enable=true \
    -- add-port br0 p1 -- set interface p1 type=dummy ofport_request=1 \
    -- add-bond br0 bond0 p2 p3 lacp=active -- set interface p2 type=dummy \
    -- set interface p3 type=dummy \
    -- add-br br1 -- set bridge br1 datapath_type=dummy rstp_enable=true

# Text that is to be there, and the command.
while IFS='|' read -r text command; do
    # shellcheck disable=SC2086 # words
    check "$command" real "$text" $command
done <<'END'
^dummy@ovs-dummy|dpctl/show
^dummy@ovs-dummy|dpctl/dump-dps
p1 1/1: \(dummy|dpif/show
br0|dpif/dump-dps
:|dpif/show-dp-features br0
:|dpif/set-dp-features br0
port  VLAN  MAC|fdb/show br0
Statistics for bridge|fdb/stats-show br0
-|fdb/stats-clear br0
-|fdb/add br0 p1 0 50:54:00:00:00:05
50:54:00:00:00:05|fdb/show br0
-|fdb/del br0 0 50:54:00:00:00:05
flushed|fdb/flush br0
VLAN|mdb/show br0
flushed|mdb/flush br0
main thread|upcall/show
-|revalidator/wait
-|revalidator/purge
-|revalidator/pause
-|revalidator/resume
Verdict|ofproto/trace br0 in_port=1
Verdict|ofproto/trace-packet-out br0 in_port=1 drop
pmd|dpif-netdev/pmd-stats-show
-|dpif-netdev/pmd-rxq-show
-|dpif-netdev/pmd-rxq-rebalance
bond|bond/show
bond0|bond/list
bond0|lacp/show
bond0|lacp/show-stats
br0|stp/show
br1|rstp/show br1
-|bfd/show
-|cfm/show
poll|coverage/show
[0-9]|coverage/read-counter drop_action_of_pipeline
rules|memory/show
-|tnl/neigh/show
-|tnl/ports/show -v
-|tnl/egress_port_range
-|ovs/route/show
-|qos/show p1
duration|bridge/dump-flows br0
br0|ofproto/list
dpif|vlog/list
-|vlog/set dpif:dbg
Open vSwitch|version
capture|list-commands
END

while read -r command; do
    # shellcheck disable=SC2086 # words
    check "$command" explains $command
done <<'END'
dpif/dump-flows br0
dpctl/dump-flows
dpctl/get-flow x
dpctl/add-flow x y
dpctl/mod-flow x y
dpctl/del-flow x
dpctl/del-flows
dpctl/cache-get-size
dpctl/offload-stats-show
dpctl/dump-conntrack
dpctl/flush-conntrack
dpctl/ct-stats-show
dpctl/ct-bkts
dpctl/ct-set-maxconns 5
dpctl/ct-get-maxconns
dpctl/ct-get-nconns
dpctl/ct-enable-tcp-seq-chk
dpctl/ct-disable-tcp-seq-chk
dpctl/ct-get-tcp-seq-chk
dpctl/ct-set-limits default=5
dpctl/ct-del-limits zone=1
dpctl/ct-get-limits
dpctl/ipf-set-enabled v4
dpctl/ipf-set-disabled v4
dpctl/ipf-get-status
upcall/disable-megaflows
upcall/enable-megaflows
upcall/disable-ufid
upcall/enable-ufid
upcall/set-flow-limit 5
dpif/set-dp-features br0 ct_zero_snat true
dpif-netdev/pmd-perf-log-set on
dpif-netdev/bond-show
dpif-netdev/subtable-lookup-prio-set a 1
dpif-netdev/subtable-lookup-info-get
dpif-netdev/dpif-impl-set a
dpif-netdev/dpif-impl-get
dpif-netdev/miniflow-parser-set a
dpif-netdev/miniflow-parser-get
ofproto/tnl-push-pop on
END
check 'stops' stop_bvs
finish
