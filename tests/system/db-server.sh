#!/bin/sh
# SPDX-License-Identifier: Apache-2.0
# shellcheck disable=SC2317 # functions are called through check
# timeout: 120
#
# The database server inside the daemon: its file, its socket, its remotes.

# shellcheck source=tests/system/lib.sh
. "$(dirname "$0")/lib.sh"

need 'ovs-vsctl --version' 'there is no stock ovs-vsctl'
need 'ovsdb-tool --version' 'there is no ovsdb-tool'

start() {
    start_bvs --enable-dummy --disable-system
}

get() {
    ovs-vsctl -t 5 --bare get Open_vSwitch . "$@"
}

## A new database

check 'starts without a file' start
check 'makes the file' test -s "$db_file"
check 'sets ovs_version' prints '"3.1.0"' get ovs_version
version=$(ovsdb-tool db-version "$db_file")
check 'sets db_version' prints "\"$version\"" get db_version
check 'the file is a database for ovsdb-tool' \
    ovsdb-tool query "$db_file" '["Open_vSwitch"]'
id=$(get external_ids:system-id)
check 'makes a system-id' test ${#id} = 38

## Clients

check 'stock ovs-vsctl adds a bridge' ovs-vsctl -t 10 add-br br0 \
    -- set bridge br0 datapath_type=dummy
check 'cur_cfg follows next_cfg' prints "$(get next_cfg)" get cur_cfg
check 'lists its databases' \
    prints "$(printf 'Open_vSwitch\n_Server')" ovsdb-client list-dbs
check 'describes them in _Server' prints '"Open_vSwitch" "_Server"' sh -c \
    'ovsdb-client -f csv --no-headings dump _Server Database name |
     sed "1d; s/.*/\"&\"/" | sort | paste -s -d" "'

# One client watches what the other does.
start_daemon monitor ovsdb-client monitor unix:"$OVS_RUNDIR/db.sock" \
    Open_vSwitch Bridge name --format=csv --no-headings
check 'a monitor gets the first state' \
    wait_until 5 grep -q ',initial,br0' "$dir/monitor.log"
ovs-vsctl -t 10 add-br br1 -- set bridge br1 datapath_type=dummy
check 'a monitor gets a change' \
    wait_until 5 grep -q ',insert,br1' "$dir/monitor.log"

# Two that change the same row: nothing gets lost.
for i in 1 2 3 4 5 6 7 8; do
    ovs-vsctl -t 20 --no-wait set Open_vSwitch . "other_config:a$i=x" &
    one=$!
    bvs-vsctl -t 20 --no-wait set Open_vSwitch . "other_config:b$i=x" &
    wait $one $!
done
check 'concurrent changes are all there' prints 16 sh -c \
    'ovs-vsctl get Open_vSwitch . other_config | tr , "\n" | grep -c "=x"'

## Remotes

check 'listens where a Manager says' \
    ovs-vsctl -t 10 set-manager ptcp:0:127.0.0.1
port() {
    ovs-vsctl -t 5 get Manager ptcp:0:127.0.0.1 status:bound_port |
        tr -d '"' | grep .
}
check 'writes the status of a Manager' wait_until 10 port
check 'serves over TCP' prints br0 \
    ovs-vsctl -t 5 --db="tcp:127.0.0.1:$(port)" br-to-parent br0
ovs-vsctl -t 10 del-manager
check 'list-remotes' prints "$(printf '%s\n%s' \
    'db:Open_vSwitch,Open_vSwitch,manager_options' \
    "punix:$OVS_RUNDIR/db.sock")" bvs-appctl ovsdb-server/list-remotes
check 'add-remote' \
    bvs-appctl ovsdb-server/add-remote "punix:$dir/second.sock"
check 'serves the added remote' wait_until 5 \
    ovs-vsctl -t 2 --db="unix:$dir/second.sock" br-exists br0
check 'remove-remote' \
    bvs-appctl ovsdb-server/remove-remote "punix:$dir/second.sock"
refuses 'add-remote of a column that is not' 'no table named x' \
    bvs-appctl ovsdb-server/add-remote db:Open_vSwitch,x,y

## Commands

check 'list-dbs' prints "$(printf 'Open_vSwitch\n_Server')" \
    ovs-appctl ovsdb-server/list-dbs
check 'get-db-storage-status' prints 'status: ok' \
    ovs-appctl ovsdb-server/get-db-storage-status Open_vSwitch
records_before=$(grep -c '^OVSDB JSON' "$db_file")
check 'compact' ovs-appctl ovsdb-server/compact
check 'compact leaves one record of data' test "$records_before" -gt 2 -a \
    "$(grep -c '^OVSDB JSON' "$db_file")" = 2
refuses 'compact of another database' 'no database by that name' \
    ovs-appctl ovsdb-server/compact nonsense

## A second daemon

refuses 'a second daemon in the same folders' 'a switch daemon runs there' \
    bvs-vswitchd --db-file="$db_file"
mv "$OVS_RUNDIR/ovs-vswitchd.pid" "$dir/pid"
refuses 'a second daemon, without a pid file' \
    'a switch daemon answers there already' bvs-vswitchd --db-file="$db_file"
mv "$dir/pid" "$OVS_RUNDIR/ovs-vswitchd.pid"
mkdir "$dir/run2"
refuses 'a second daemon on the same file' 'serves this database' \
    env OVS_RUNDIR="$dir/run2" bvs-vswitchd --db-file="$db_file"
refuses 'a second daemon on the same socket' \
    'a database server already answers there' \
    env OVS_RUNDIR="$dir/run2" bvs-vswitchd --db-file="$dir/etc/other.db" \
    "unix:$OVS_RUNDIR/db.sock"
check 'the first one works on' ovs-vsctl -t 5 br-exists br0

## Ends

kill -9 "$(bvs_pid)"
wait_gone 5 "$(bvs_pid)"
check 'starts after kill -9' start
check 'keeps what was there before kill -9' ovs-vsctl -t 5 br-exists br1
check 'keeps its system-id' prints "$id" get external_ids:system-id
check 'exits when asked' stop_bvs
check 'leaves no socket' test ! -e "$OVS_RUNDIR/db.sock"

# What a loss of power leaves: the last record cut short.
printf 'OVSDB JSON 100 0123456789012345678901234567890123456789\n{"Bri' \
    >>"$db_file"
check 'starts with a torn last record' start
check 'keeps what is before it' ovs-vsctl -t 5 br-exists br1
check 'writes after it' ovs-vsctl -t 10 del-br br1
stop_bvs
check 'the file is whole again' ovsdb-tool query "$db_file" '["Open_vSwitch"]'

finish
