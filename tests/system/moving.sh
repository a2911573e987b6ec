#!/bin/sh
# SPDX-License-Identifier: Apache-2.0
# shellcheck disable=SC2317 # functions are called through check
# timeout: 240
#
# docs/moving.md: from Open vSwitch to bvs and back, with its database and
# with its flows as ovs-save has them.

# shellcheck source=tests/system/lib.sh
. "$(dirname "$0")/lib.sh"

need 'ovs-vswitchd --version' 'there is no stock ovs-vswitchd'
need 'ovsdb-tool --version' 'there is no ovsdb-tool'
ovs_save=/usr/share/openvswitch/scripts/ovs-save
need "test -f $ovs_save" 'there is no ovs-save'

vsctl() {
    ovs-vsctl --db="unix:$OVS_RUNDIR/db.sock" -t 20 "$@"
}

start_stock() {
    ovsdb-server "$db_file" --remote="punix:$OVS_RUNDIR/db.sock" \
        --detach --no-chdir --pidfile --log-file -vconsole:off || return 1
    at_exit "end_process $(cat "$OVS_RUNDIR/ovsdb-server.pid")"
    ovs-vswitchd "unix:$OVS_RUNDIR/db.sock" --enable-dummy --disable-system \
        --detach --no-chdir --pidfile --log-file -vconsole:off || return 1
    at_exit "end_process $(bvs_pid)"
}
stop_stock() {
    stock=$(bvs_pid)
    server=$(cat "$OVS_RUNDIR/ovsdb-server.pid")
    ovs-appctl -T 10 exit && wait_gone 10 "$stock" &&
        kill "$server" && wait_gone 10 "$server"
}

# What is configured; what flows and groups there are.
config() {
    vsctl --columns=name,type,ofport,options --format=csv --no-headings \
        list interface | sort
    vsctl --columns=name,fail_mode,datapath_type --format=csv \
        --no-headings list bridge
}
flows() {
    ovs-ofctl -OOpenFlow14 --no-stats dump-flows br0 | sort
    ovs-ofctl -OOpenFlow14 dump-groups br0 | sed 's/^.*xid=[^:]*://'
}
same() {
    config | diff "$dir/config" - && flows | diff "$dir/flows" -
}
saves() {
    sh "$ovs_save" save-flows br0 >"$dir/restore" && [ -s "$dir/restore" ]
}
works() {
    ovs-appctl -T 10 netdev-dummy/receive p1 "in_port(1),eth(src=\
50:54:00:00:00:01,dst=50:54:00:00:00:02),eth_type(0x0800),ipv4(src=10.0.0.1,\
dst=10.0.0.2,proto=17,tos=0,ttl=64,frag=no),udp(src=1,dst=2)"
    wait_until 10 sent
}
sent() {
    ovs-ofctl dump-ports br0 p2 | grep -q 'tx pkts=[1-9]'
}

check 'a database' ovsdb-tool create "$db_file" \
    /usr/share/openvswitch/vswitch.ovsschema
check 'Open vSwitch starts' start_stock
check 'is set up' vsctl add-br br0 \
    -- set bridge br0 datapath_type=dummy fail_mode=secure \
    -- add-port br0 p1 tag=5 -- set interface p1 type=dummy ofport_request=7 \
    -- add-port br0 p2 -- set interface p2 type=dummy ofport_request=8 \
    -- set bridge br0 other_config:mac-table-size=1000 \
    -- set open_vswitch . external_ids:mine=yes
cat >"$dir/bundle" <<END
group add group_id=7,type=select,bucket=actions=output:8
flow add cookie=0x77,priority=5,in_port=7,udp actions=goto_table:3
flow add table=3,cookie=0x78,udp,nw_dst=10.0.0.0/8 actions=group:7
flow add table=3,priority=1,ipv6 actions=set_field:5->reg3,resubmit(,4)
END
check 'has flows' ovs-ofctl -OOpenFlow14 bundle br0 "$dir/bundle"
config >"$dir/config"
flows >"$dir/flows"

check 'is saved' saves
vsctl --no-wait set open_vswitch . other_config:flow-restore-wait=true
check 'stops' stop_stock
check 'bvs starts with its database' start_bvs --enable-dummy --disable-system
check 'gets its flows' sh "$dir/restore"
check 'and goes' vsctl remove open_vswitch . other_config flow-restore-wait
check 'all is as before' same
check 'forwards' works
check 'keeps what others wrote' prints yes \
    vsctl get open_vswitch . external_ids:mine

check 'is saved again' saves
check 'stops again' stop_bvs
check 'Open vSwitch starts again' start_stock
check 'gets its flows again' sh "$dir/restore"
check 'all is as at first' same
check 'forwards again' works
check 'ends' stop_stock
finish
