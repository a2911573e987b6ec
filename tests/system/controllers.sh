#!/bin/sh
# SPDX-License-Identifier: Apache-2.0
# timeout: 300
#
# What a bridge and its controllers have to do with each other: several of
# them, roles, masks of asynchronous messages, formats and rates of
# packet-ins, what happens without controllers, TLS, and that in-band control
# can be off.
#
# shellcheck disable=SC2317,SC2119 # functions are called through check

if [ -z "${BVS_INSIDE:-}" ] && [ "$(id -u)" = 0 ]; then
    BVS_INSIDE=1 exec unshare --net "$0"
fi

# shellcheck source=tests/system/lib.sh
. "$(dirname "$0")/lib.sh"
need is_root 'needs root, for a network namespace'
need 'openssl version' 'there is no openssl'
ip link set lo up

# Controller $1 (a letter) at port $2, with further options; its orders go to
# file descriptor $3.
start_peer() {
    peer=$1
    peer_port=$2
    peer_fd=$3
    shift 3
    [ -p "$dir/$peer.in" ] || mkfifo "$dir/$peer.in"
    eval "exec $peer_fd<>$dir/$peer.in"
    # The redirection must be the process's own: the shell gives one in the
    # background /dev/null.
    # shellcheck disable=SC2016 # the inner shell's
    start_daemon "$peer" sh -c 'in=$1; shift; exec "$@" <"$in"' sh \
        "$dir/$peer.in" "$TOP/tests/controllers/peer.py" \
        --port "$peer_port" "$@"
    echo "$pid" >"$dir/$peer.pid"
    wait_until 20 says "$peer" listening
}

# The last message of controller $1 that it has printed matches $2.
says() {
    grep -q "^$2" "$dir/$1.log"
}

said() {
    grep -c "^$2" "$dir/$1.log"
}

# Controller $1 gets to see what $2, a number, prints; after that, nothing
# that was sent before is still on its way.
count=0
settled() {
    count=$((count + 1))
    echo "say settled-$count" >&"$2"
    wait_until 20 says "$1" "settled-$count"
}

role() {
    prints "$2" bvs-vsctl --bare --columns=role find controller \
        target="\"tcp:127.0.0.1:$1\""
}

connected() {
    prints "$2" bvs-vsctl --bare --columns=is_connected find controller \
        target="\"$1\""
}

# A packet of type $2 (hexadecimal) arrives at port $1, from address $3.
receive() {
    bvs-appctl netdev-dummy/receive "$1" \
        "0200000000020200000000${3:-01}$2$(printf '%092d' 0)" >/dev/null
}

n_sent() {
    bvs-vsctl get interface "$1" statistics:tx_packets
}

hidden_rule() {
    bvs-appctl bridge/dump-flows br0 | grep -q "priority=$1"
}

no_hidden_rule() {
    ! hidden_rule "$1"
}

check 'starts' start_bvs --enable-dummy --disable-system
check 'adds a bridge' bvs-vsctl add-br br0 -- set bridge br0 \
    datapath_type=dummy fail-mode=secure protocols=OpenFlow10,OpenFlow13 \
    other_config:disable-in-band=true \
    -- add-port br0 p1 -- set interface p1 type=dummy ofport_request=1 \
    -- add-port br0 p2 -- set interface p2 type=dummy ofport_request=2 \
    -- set Open_vSwitch . other_config:stats-update-interval=1000
check 'a controller' start_peer a 6653 7
check 'another' start_peer b 6654 8
check 'set-controller' bvs-vsctl \
    set-controller br0 tcp:127.0.0.1:6653 tcp:127.0.0.1:6654
check 'both are connected' wait_until 30 says b features
check 'both are connected: the first' wait_until 30 says a features
check 'the database says so' wait_until 20 connected tcp:127.0.0.1:6653 true
check 'the same of the other' wait_until 20 connected tcp:127.0.0.1:6654 true

# Equals get the same.
ovs-ofctl add-flow br0 dl_type=0x88b5,actions=controller
receive p1 88b5
check 'packet-in to one' wait_until 10 says a 'packet-in openflow 1'
check 'packet-in to the other' wait_until 10 says b 'packet-in openflow 1'

# Roles.
echo 'role primary 5' >&7
check 'a primary' wait_until 10 says a 'role primary 5'
echo 'role secondary 5' >&8
check 'a secondary' wait_until 10 says b 'role secondary 5'
check 'the database knows the primary' wait_until 20 role 6653 master
check 'and the secondary' wait_until 20 role 6654 slave
before=$(said b packet-in)
receive p1 88b5
check 'packet-in to the primary' wait_until 10 sh -c \
    "[ \$(grep -c ^packet-in $dir/a.log) = 2 ]"
settled b 8
check 'none to the secondary' test "$(said b packet-in)" = "$before"
echo port-mod >&8
check 'a secondary changes nothing' wait_until 10 says b 'error 1 10'
bvs-appctl netdev-dummy/set-admin-state p2 down
check 'port-status to the secondary, too' wait_until 10 says b port-status
echo 'role primary 6' >&8
check 'a new primary' wait_until 10 says b 'role primary 6'
check 'demotes the old one' wait_until 20 role 6653 slave
echo 'role primary 5' >&7
check 'who comes too late is refused' wait_until 10 says a 'error 11 0'
echo 'role equal 0' >&7
check 'an equal again' wait_until 10 says a 'role equal'
echo 'role equal 0' >&8
check 'and the other' wait_until 10 says b 'role equal'

# Masks.  Reason 1 is an action, 0 a miss.
echo 'async 0 0 0' >&7
settled a 7
echo role nochange 0 >&7
check 'the mask is set' wait_until 10 sh -c \
    "[ \$(grep -c '^role equal' $dir/a.log) = 2 ]"
n_a=$(said a packet-in)
n_status=$(said a port-status)
n_b=$(said b packet-in)
receive p1 88b5
bvs-appctl netdev-dummy/set-admin-state p2 up
check 'no mask: packet-in' wait_until 10 sh -c \
    "[ \$(grep -c ^packet-in $dir/b.log) -gt $n_b ]"
check 'no mask: port-status' wait_until 10 sh -c \
    "[ \$(grep -c ^port-status $dir/b.log) -ge 2 ]"
echo role nochange 0 >&7
check 'the masked one is through, too' wait_until 10 sh -c \
    "[ \$(grep -c '^role equal' $dir/a.log) = 3 ]"
check 'a mask: no packet-in' test "$(said a packet-in)" = "$n_a"
check 'a mask: no port-status' test "$(said a port-status)" = "$n_status"
echo 'async 3 7 15' >&7

# Formats.
for format in 1:nxm 2:nxt2 0:openflow; do
    echo "format ${format%:*}" >&7
    n_a=$(said a role)
    echo role nochange 0 >&7
    wait_until 10 sh -c "[ \$(grep -c ^role $dir/a.log) -gt $n_a ]"
    n_a=$(said a "packet-in ${format#*:}")
    receive p1 88b5
    check "format ${format#*:}" wait_until 10 sh -c \
        "[ \$(grep -c '^packet-in ${format#*:}' $dir/a.log) -gt $n_a ]"
done

# Rates: a packet that is 50 packet-ins.
ovs-ofctl add-flow br0 "dl_type=0x88b6,actions=$(
    printf 'controller,%.0s' 1 2 3 4 5 6 7 8 9 10 | sed 's/.*/&&&&&/; s/,$//')"
n_a=$(said a packet-in)
for flow in 1 2 3 4; do
    receive p1 88b6 "0$flow"
done
check 'without a limit, all of them' wait_until 20 sh -c \
    "[ \$(grep -c ^packet-in $dir/a.log) = $((n_a + 200)) ]"
for uuid in $(bvs-vsctl --bare --columns=_uuid list controller); do
    bvs-vsctl set controller "$uuid" controller_rate_limit=100 \
        controller_burst_limit=25 inactivity_probe=1000 max_backoff=1000
done
n_a=$(said a packet-in)
for flow in 1 2 3 4 5 6 7 8; do
    receive p1 88b6 "0$flow"
done
check 'with a limit, some' wait_until 10 sh -c \
    "[ \$(grep -c ^packet-in $dir/a.log) -ge $((n_a + 25)) ]"
check 'with a limit, not all' wait_until 20 sh -c \
    "bvs-vsctl list controller | grep -q 'packet-in-action-dropped=\"[1-9]'"
check 'those that were dropped did not come' \
    test "$(said a packet-in)" -lt $((n_a + 400))

# Without controllers.
check 'not in-band' no_hidden_rule 180000
ovs-ofctl add-flow br0 dl_type=0x88b7,actions=output:2
end_process "$(cat "$dir/a.pid")"
end_process "$(cat "$dir/b.pid")"
check 'the database says that they are gone' \
    wait_until 20 connected tcp:127.0.0.1:6653 false
receive p1 88b7
check 'secure: flows work on' wait_until 10 prints 1 n_sent p2
receive p1 0800
receive p1 88b7
check 'secure: nothing else' wait_until 10 prints 2 n_sent p2
check 'secure: no flow of its own' no_hidden_rule 15790320
check 'standalone' bvs-vsctl set-fail-mode br0 standalone
check 'standalone: a flow of its own' wait_until 30 hidden_rule 15790320
receive p1 0800
check 'standalone: forwards all' wait_until 10 prints 3 n_sent p2
check 'a controller is back' start_peer a 6653 7
check 'standalone: connects' wait_until 20 says a features
# Only one that does more than to connect counts as there.
echo port-mod >&7
check 'standalone: the flow is gone' wait_until 20 no_hidden_rule 15790320

# In-band, to see that it is off otherwise.
bvs-vsctl remove bridge br0 other_config disable-in-band
check 'in-band has flows' wait_until 20 hidden_rule 180000
bvs-vsctl set bridge br0 other_config:disable-in-band=true
check 'and has not' wait_until 20 no_hidden_rule 180000
end_process "$pid"

# TLS.
make_keys() {
    authority ca && authority stranger && sign ca switch &&
        sign ca controller && sign stranger intruder
}
# The last change of the mode has emptied the tables.
bvs-vsctl set-fail-mode br0 secure
ovs-ofctl add-flow br0 dl_type=0x88b5,actions=controller
check 'makes keys' make_keys
check 'set-ssl' bvs-vsctl set-ssl "$dir/switch-key.pem" \
    "$dir/switch-cert.pem" "$dir/ca-cert.pem"
check 'a stranger over TLS' start_peer s 6655 9 --ca "$dir/ca-cert.pem" \
    --key "$dir/intruder-key.pem" --cert "$dir/intruder-cert.pem"
bvs-vsctl set-controller br0 ssl:127.0.0.1:6655
check 'is refused' wait_until 30 says s refused
check 'and not connected' connected ssl:127.0.0.1:6655 false
end_process "$pid"
check 'a friend over TLS' start_peer t 6655 9 --ca "$dir/ca-cert.pem" \
    --key "$dir/controller-key.pem" --cert "$dir/controller-cert.pem"
check 'is connected' wait_until 30 says t features
receive p1 88b5
check 'packet-in over TLS' wait_until 10 says t 'packet-in openflow'
check 'no message that it does not know' sh -c \
    "! grep -h '^other' $dir/[abst].log"
check 'the daemon ends' stop_bvs
finish
