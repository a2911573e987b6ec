#!/bin/sh
# SPDX-License-Identifier: Apache-2.0
# shellcheck disable=SC2317 # functions are called through check
# timeout: 120
#
# bvs-vsctl: what it prints beside what stock ovs-vsctl prints, and what it
# does where that one would wait for ever.

# shellcheck source=tests/system/lib.sh
. "$(dirname "$0")/lib.sh"

need 'ovs-vsctl --version' 'there is no stock ovs-vsctl'
need 'ovsdb-tool --version' 'there is no ovsdb-tool'

## Without a daemon

# Runs CMD and fails if it took more than 5 seconds.
quickly() {
    timeout 5 "$@"
    quickly_status=$?
    [ "$quickly_status" != 124 ] || echo 'took too long'
    return "$quickly_status"
}

refuses 'no database' 'database connection failed' \
    quickly bvs-vsctl add-br br0

# A database without a switch.
schema() {
    start_bvs --enable-dummy --disable-system >/dev/null &&
        ovsdb-client get-schema Open_vSwitch >"$dir/schema" && stop_bvs
}
check 'gets the schema' schema
for side in ours stock; do
    ovsdb-tool create "$dir/$side.db" "$dir/schema"
    start_daemon "$side" ovsdb-server --remote="punix:$dir/$side.sock" \
        --unixctl="$dir/$side.ctl" "$dir/$side.db"
    wait_until 5 test -S "$dir/$side.sock"
done
ours="unix:$dir/ours.sock"

refuses 'a database without a switch daemon' \
    'no switch daemon serves this database' \
    quickly bvs-vsctl --db="$ours" add-br br0
check "nothing was changed" prints "" quickly bvs-vsctl --db="$ours" list-br
check 'reading needs no daemon' quickly bvs-vsctl --db="$ours" show
check 'neither does --no-wait' \
    quickly bvs-vsctl --db="$ours" --no-wait add-br br0
check 'nor --dry-run' quickly bvs-vsctl --db="$ours" --dry-run del-br br0
check 'which changes nothing' bvs-vsctl --db="$ours" br-exists br0
bvs-vsctl --db="$ours" --no-wait del-br br0

# --retry waits for a daemon, as ovs-vsctl does.
start_daemon waits bvs-vsctl --db="$ours" --retry -t 30 add-br late \
    -- set bridge late datapath_type=dummy
waiting=$pid
check '--retry changes the database' \
    wait_until 5 bvs-vsctl --db="$ours" br-exists late
check '--retry goes on waiting' kill -0 "$waiting"
start_daemon switch bvs-vswitchd --enable-dummy --disable-system "$ours"
check '--retry ends when a daemon has applied it' wait_gone 10 "$waiting"
end_process "$pid"
bvs-vsctl --db="$ours" --no-wait del-br late

## Side by side

# Runs one command line with both programs, each on its own database, and
# compares output, messages and exit status.  UUIDs and the programs' names
# may differ.
both() {
    for side in ours stock; do
        program=ovs-vsctl
        [ "$side" = stock ] || program=bvs-vsctl
        timeout 10 "$program" --db="unix:$dir/$side.sock" --no-wait "$@" \
            >"$dir/$side.out" 2>"$dir/$side.err"
        echo "status $?" >>"$dir/$side.out"
        sed -i 's/[0-9a-f]\{8\}-[0-9a-f-]\{27\}/<uuid>/g; s/bvs-vsctl/ovs-vsctl/
                s/^.*|\(WARN\|ERR\)|//' "$dir/$side.out" "$dir/$side.err"
        # Its order is that of the UUIDs.
        [ "$1" != show ] || sort -o "$dir/$side.out" "$dir/$side.out"
    done
    diff "$dir/stock.out" "$dir/ours.out" &&
        diff "$dir/stock.err" "$dir/ours.err"
}

# One command line a row; words are split at spaces.
while read -r line; do
    case $line in
    '' | '#'*) continue ;;
    esac
    # shellcheck disable=SC2086 # to be split
    check "as stock: $line" both $line
done <<'EOF'
# Bridges
init
add-br br0
add-br br0
--may-exist add-br br0
add-br br0 x
add-br fake br0 5000
add-br fake nowhere 5
add-br fake br0 5
add-br fake2 br0 5
add-br fake2 fake 6
--may-exist add-br fake
--may-exist add-br fake br0 5
--may-exist add-br fake br0 7
--may-exist add-br fake other 5
--may-exist add-br br0 br1 5
list-br
--real list-br
--fake list-br
br-exists br0
br-exists none
br-to-vlan fake
br-to-vlan br0
br-to-vlan none
br-to-parent fake
br-to-parent br0
br-set-external-id br0 a b
br-set-external-id br0 c d
br-set-external-id fake a e
br-get-external-id br0
br-get-external-id br0 c
br-get-external-id fake
br-get-external-id fake a
br-set-external-id br0 a
br-get-external-id br0
br-get-external-id none
# Ports and interfaces
add-port br0 p1
add-port br0 p1
add-port br0 p2 tag=3 other_config:x=y
add-port br0 p3 nonsense=3
add-port br0 br0
add-port fake p4
add-port none p5
--may-exist add-port br0 p1
--may-exist add-port fake p1
add-bond br0 bond0 e1 e2 lacp=active
add-bond br0 bond1 e3
add-bond br0 bond1 e1 e4
--may-exist add-bond br0 bond0 e2 e1
--may-exist add-bond br0 bond0 e2 e5
--fake-iface add-bond br0 bond2 e6 e7
add-bond-iface bond0 e8
add-bond-iface bond0 p1
--may-exist add-bond-iface bond0 e8
--may-exist add-bond-iface bond0 e6
add-bond-iface none e9
del-bond-iface e8
del-bond-iface bond0 e6
del-bond-iface e8
--if-exists del-bond-iface e8
del-bond-iface p1
list-ports br0
list-ports fake
list-ports none
list-ifaces br0
list-ifaces fake
port-to-br bond0
port-to-br p4
port-to-br e1
iface-to-br e1
iface-to-br br0
get port p4 tag
--columns=name,tag,trunks list port p2
--format=csv --columns=name,bond_fake_iface find port bond_fake_iface=true
del-port br0
del-port none
--if-exists del-port none
del-port fake p1
del-port br0 p4
del-port p1
del-port e6
--with-iface del-port e6
--if-exists --with-iface del-port e6
list-ports br0
# Control
set-controller br0 tcp:127.0.0.1 ssl:127.0.0.1:6653
get-controller br0
get-controller fake
set-controller fake tcp:127.0.0.1
set-controller br0 nonsense
--inactivity-probe=3000 set-controller br0 tcp:127.0.0.1
--columns=target,inactivity_probe list controller
del-controller br0
get-controller br0
get-fail-mode br0
set-fail-mode br0 secure
set-fail-mode br0 weird
set-fail-mode fake secure
get-fail-mode br0
get-fail-mode fake
del-fail-mode br0
get-fail-mode br0
set-manager ptcp:1:127.0.0.1 tcp:127.0.0.1:2
get-manager
del-manager
get-manager
get-ssl
set-ssl key cert ca
get-ssl
--bootstrap set-ssl key cert ca
get-ssl
del-ssl
get-ssl
# Several at once
add-br b1 -- add-port b1 q1 -- set interface q1 type=internal -- list-ifaces b1
add-br b2 -- add-port b1 q1
br-exists b2
add-br b3 -- del-br b3 -- add-br b3 -- list-ports b3
--id=@m create mirror name=m0 -- set bridge b1 mirrors=@m
--oneline list-br -- list-ports b1
--id=@x create queue -- --id=@y create qos type=linux-htb queues:0=@x
--id=@q create qos -- add port q1 qos @none
get bridge b1 nonsense
set bridge b1 other_config:a=1 other_config:b=2 -- get bridge b1 other_config
remove bridge b1 other_config a -- get bridge b1 other_config
clear bridge b1 other_config -- get bridge b1 other_config
wait-until bridge b1 name=b1
comment a comment
# Others
add-aa-mapping br0 100 10
add-aa-mapping br0 200 20
get-aa-mapping br0
del-aa-mapping br0 100 10
get-aa-mapping br0
add-aa-mapping br0 x y
add-zone-tp netdev zone=1 icmp_first=2
list-dp-cap netdev
show
emer-reset
show
del-br br0
del-br br0
--if-exists del-br br0
list-br
EOF

check 'refuses an unknown option' sh -c '! bvs-vsctl --nonsense list-br'
check 'refuses an unknown command' sh -c '! bvs-vsctl nonsense'
check 'refuses nothing' sh -c '! bvs-vsctl'

finish
