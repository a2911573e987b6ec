#!/bin/sh
# SPDX-License-Identifier: Apache-2.0
# shellcheck disable=SC2317 # functions are called through check
# timeout: 120
#
# Database files that are not what they should be, and older ones.

# shellcheck source=tests/system/lib.sh
. "$(dirname "$0")/lib.sh"

need 'ovs-vsctl --version' 'there is no stock ovs-vsctl'
need 'ovsdb-tool --version' 'there is no ovsdb-tool'

start() {
    start_bvs --enable-dummy --disable-system
}

serve() {
    timeout 20 bvs-vswitchd --enable-dummy --disable-system --db-file="$1"
}

## Refused, each with the file's name

refuses 'a program as database' '/bin/ls: not a database; expected' \
    serve /bin/ls
echo '{"name": "Open_vSwitch"}' >"$dir/text"
refuses 'a text as database' "$dir/text: not a database; expected" \
    serve "$dir/text"
refuses 'a folder as database' "$dir: not a file; expected" serve "$dir"
refuses 'a folder that is missing' "$dir/none: No such file" \
    serve "$dir/none/conf.db"
printf 'OVSDB JSON 100 0123456789012345678901234567890123456789\n{"name"' \
    >"$dir/cut"
refuses 'a file cut within the schema' "$dir/cut: cannot read the database" \
    serve "$dir/cut"
cat >"$dir/other.schema" <<EOF
{"name": "Other", "version": "1.0.0",
 "tables": {"T": {"columns": {"c": {"type": "string"}}}}}
EOF
ovsdb-tool create "$dir/other.db" "$dir/other.schema"
refuses 'a database of something else' \
    'holds a database named Other; expected one named Open_vSwitch' \
    serve "$dir/other.db"
ovsdb-tool create-cluster "$dir/cluster.db" "$dir/other.schema" \
    tcp:127.0.0.1:1
refuses 'a member of a cluster' 'one member of a clustered database' \
    serve "$dir/cluster.db"
refuses 'a socket that cannot be' 'cannot listen there' \
    timeout 20 bvs-vswitchd --db-file="$db_file" "unix:$dir/none/db.sock"
refuses 'a database over TCP' 'expected unix:PATH' \
    timeout 20 bvs-vswitchd --db-file="$db_file" tcp:127.0.0.1:6640
rm -f "$db_file"

## Empty: what a daemon leaves that is killed while it makes the file

: >"$db_file"
check 'an empty file is a new database' start
check 'with a row' ovs-vsctl -t 5 get Open_vSwitch . db_version
ovsdb-client get-schema Open_vSwitch >"$dir/now.schema"
stop_bvs

## Older

# An older schema: without a column and a table, and with a column that the
# present one lacks.
python3 - "$dir/now.schema" >"$dir/old.schema" <<'EOF'
import json
import sys

schema = json.load(open(sys.argv[1]))
schema["version"] = "7.0.1"
schema.pop("cksum", None)
del schema["tables"]["CT_Zone"]
del schema["tables"]["Datapath"]["columns"]["ct_zones"]
del schema["tables"]["Interface"]["columns"]["mtu_request"]
schema["tables"]["Bridge"]["columns"]["old_one"] = {"type": "string"}
json.dump(schema, sys.stdout)
EOF
rm -f "$db_file"
ovsdb-tool create "$db_file" "$dir/old.schema"
start_daemon old ovsdb-server --remote="punix:$dir/old.sock" "$db_file"
check 'a server with the older schema runs' wait_until 5 \
    ovs-vsctl -t 2 --no-wait --db="unix:$dir/old.sock" init
ovs-vsctl -t 5 --no-wait --db="unix:$dir/old.sock" add-br br0 \
    -- set bridge br0 datapath_type=dummy other_config:hwaddr=aa:55:00:00:00:01
refuses 'a file that a stock ovsdb-server has open' \
    "process $pid serves this database" serve "$db_file"
end_process "$pid"

check 'converts an older schema' start
check 'keeps the data' prints '"aa:55:00:00:00:01"' \
    ovs-vsctl -t 5 get bridge br0 other_config:hwaddr
check 'has the new column' ovs-vsctl -t 5 set interface br0 mtu_request=1400
check 'drops the column that is gone' sh -c \
    '! ovs-vsctl -t 5 get bridge br0 old_one'
check 'leaves a copy of the older file' prints 7.0.1 \
    ovsdb-tool db-version "$db_file.backup-7.0.1"
stop_bvs
check 'the file has the new schema' prints \
    "$(python3 -c 'import json, sys
print(json.load(open(sys.argv[1]))["version"])' "$dir/now.schema")" \
    ovsdb-tool db-version "$db_file"

## Newer: served as it is, nothing is lost

sed 's/"version":"[0-9.]*"/"version":"99.0.0"/' "$dir/now.schema" \
    >"$dir/new.schema"
rm -f "$db_file"
ovsdb-tool create "$db_file" "$dir/new.schema"
check 'serves a newer schema' start
check 'and leaves it' prints '"99.0.0"' \
    ovs-vsctl -t 5 get Open_vSwitch . db_version
stop_bvs

## A schema that a client converts under the daemon

rm -f "$db_file"
start
ovs-vsctl -t 5 add-br br0 -- set bridge br0 datapath_type=dummy
check 'a client converts the schema' \
    timeout 20 ovsdb-client convert "$dir/new.schema"
check 'clients see the new version' wait_until 10 sh -c \
    'ovsdb-client get-schema-version Open_vSwitch | grep -qx 99.0.0'
check '_Server shows it, too' wait_until 10 sh -c \
    'ovsdb-client dump _Server Database schema | grep -q 99.0.0'
check 'the daemon works on' ovs-vsctl -t 10 add-br br1 \
    -- set bridge br1 datapath_type=dummy
stop_bvs

## A full disk

if is_root && mkdir "$dir/small" &&
    mount -t tmpfs -o size=160k bvs-test "$dir/small"; then
    at_exit "umount $dir/small"
    db_file=$dir/small/conf.db
    start
    check 'a change on a small disk' \
        ovs-vsctl -t 5 --no-wait set Open_vSwitch . other_config:first=1
    dd if=/dev/zero of="$dir/small/filler" bs=1k 2>/dev/null
    big=$(head -c 20000 /dev/zero | tr '\0' x)
    refuses 'a change on a full disk is refused' 'No space left' \
        ovs-vsctl -t 5 --no-wait set Open_vSwitch . "other_config:big=$big"
    check 'a refused change is not there' sh -c \
        '! ovs-vsctl -t 5 get Open_vSwitch . other_config:big'
    check 'an earlier change is' prints '"1"' \
        ovs-vsctl -t 5 get Open_vSwitch . other_config:first
    rm "$dir/small/filler"
    check 'a change once there is space' \
        ovs-vsctl -t 5 --no-wait set Open_vSwitch . other_config:second=2
    kill -9 "$(bvs_pid)"
    wait_gone 5 "$(bvs_pid)"
    start
    check 'all acknowledged changes survive' prints "$(printf '"1"\n"2"')" \
        ovs-vsctl -t 5 get Open_vSwitch . other_config:first \
        other_config:second
    stop_bvs
else
    echo 'skip a full disk - needs root, to mount a small one'
fi

finish
