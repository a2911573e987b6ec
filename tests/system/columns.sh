#!/bin/sh
# SPDX-License-Identifier: Apache-2.0
# shellcheck disable=SC2317 # functions are called through check
# timeout: 120
#
# Columns of the database that others read: each is filled as Open vSwitch
# fills it.

if [ -z "${BVS_INSIDE:-}" ] && [ "$(id -u)" = 0 ]; then
    BVS_INSIDE=1 exec unshare --net "$0"
fi

# shellcheck source=tests/system/lib.sh
. "$(dirname "$0")/lib.sh"
need is_root "needs root, for devices"

LEARNING=$TOP/tests/controllers/learning.py
port=$(/usr/bin/python3 -c 'import socket
s = socket.socket(); s.bind(("127.0.0.1", 0)); print(s.getsockname()[1])')

# Does column $3 of record $2 of table $1 match the whole of $4?
matches() {
    matches_value=$(bvs-vsctl -t 10 get "$1" "$2" "$3") || return 1
    printf '%s\n' "$matches_value" | grep -qxE -e "$4" || {
        echo "$1 $2 $3 is $matches_value"
        return 1
    }
}
column() {
    check "$1 $2 $3" wait_until 15 matches "$@"
}

check 'starts' start_bvs --enable-dummy
ip link set lo up
ip link add v1 type veth peer name v2
ip link set v1 up mtu 1400 address 02:00:00:00:00:01
ip link set v2 up
start_daemon controller /usr/bin/python3 "$LEARNING" --port "$port"
check 'bridge' bvs-vsctl -t 20 add-br br0 \
    -- set bridge br0 datapath_type=netdev stp_enable=true \
    -- set open_vswitch . other_config:stats-update-interval=100 \
    -- set open_vswitch . other_config:enable-statistics=true \
    -- add-port br0 v1 -- set interface v1 ofport_request=5 \
    -- add-port br0 int0 -- set interface int0 type=internal \
    -- add-port br0 gone -- set interface gone type=system \
    -- add-port br0 p1 -- set interface p1 type=dummy bfd:enable=true \
    -- set-controller br0 "tcp:127.0.0.1:$port"

column interface v1 ofport '5'
column interface v1 error '\[\]'
column interface gone ofport '-1'
column interface gone error '".*gone.*"'
column interface v1 link_state 'up'
column interface v1 admin_state 'up'
column interface v1 mac_in_use '"02:00:00:00:00:01"'
column interface v1 mtu '1400'
column interface v1 ifindex '[1-9][0-9]*'
column interface v1 duplex 'full'
column interface v1 link_speed '[1-9][0-9]*'
column interface v1 link_resets '[0-9]+'
column interface v1 status '\{.*driver_name=veth.*\}'
for i in rx_packets rx_bytes rx_dropped rx_errors tx_packets tx_bytes \
    tx_dropped tx_errors collisions; do
    column interface v1 "statistics:$i" '[0-9]+'
done
column interface int0 mac_in_use '"[0-9a-f:]{17}"'
# As small as that of the smallest port.
column interface int0 mtu '1400'
column interface br0 ofport '65534'
column interface p1 bfd_status '\{.*state=down.*\}'
ip link set v1 down
column interface v1 admin_state 'down'
column interface v1 link_state 'down'
ip link set v1 up
column interface v1 link_state 'up'

column port v1 status '\{.*stp_state=.*\}'
column port v1 statistics '\{.*stp_tx_count=.*\}'
column bridge br0 status '\{.*stp_bridge_id=.*\}'
column bridge br0 datapath_id '"[0-9a-f]{16}"'
column bridge br0 datapath_version '".*bvs.*"'

controller=$(bvs-vsctl -t 10 --bare --columns=_uuid list controller)
column controller "$controller" is_connected 'true'
column controller "$controller" role '(other|master)'
column controller "$controller" status '\{.*state=ACTIVE.*\}'

column open_vswitch . iface_types '\[.*afxdp.*dpdk.*internal.*patch.*system.*tap.*\]'
column open_vswitch . datapath_types '\[.*netdev.*system.*\]'
column open_vswitch . ovs_version '"?[0-9.]+"?'
column open_vswitch . db_version '"?[0-9.]+"?'
column open_vswitch . system_type '.*[a-z].*'
column open_vswitch . system_version '.*[a-z0-9].*'
column open_vswitch . external_ids '\{.*system-id=.*\}'
column open_vswitch . dpdk_initialized '(true|false)'
column open_vswitch . statistics '\{.*cpu=.*memory=.*\}'
column open_vswitch . statistics '\{.*process_ovs-vswitchd=.*\}'
applied() {
    [ "$(bvs-vsctl get open_vswitch . cur_cfg)" = \
        "$(bvs-vsctl get open_vswitch . next_cfg)" ]
}
check 'open_vswitch . cur_cfg' wait_until 10 applied

# Datapath.capabilities, for whoever makes the row as ovs-vsctl does.
check 'datapath' bvs-vsctl -t 10 -- --id=@d create datapath \
    datapath_version=0 -- set open_vswitch . datapaths:netdev=@d
datapath=$(bvs-vsctl -t 10 --bare --columns=_uuid list datapath)
column datapath "$datapath" capabilities '\{.*ct_state=.*max_vlan_headers=.*\}'

check 'stops' stop_bvs
finish
