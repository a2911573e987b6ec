# SPDX-License-Identifier: Apache-2.0
# shellcheck shell=sh
#
# Helpers for system tests; POSIX sh, to be sourced by a test as
#
#   . "$(dirname "$0")/lib.sh"
#
# It makes a private folder $dir for everything (OVS_RUNDIR and so on lie in
# it), and on exit, however that comes, ends the daemons, namespaces and
# devices that were started with these functions and removes the folder.
#
#   start_bvs [OPTION]...     starts bvs-vswitchd with its own database and
#                             waits until it answers
#   stop_bvs                  ends it, internal ports too, and waits until it
#                             is gone
#   start_daemon NAME CMD...  runs CMD in the background, output in
#                             $dir/NAME.log; its process in $pid
#   wait_until SECS CMD...    waits until CMD succeeds, at most SECS seconds
#   wait_gone SECS PID        waits until a process is gone
#   ns_add NAME               makes a network namespace; its name in $ns
#   ns_port BRIDGE NAME ADDR  makes namespace NAME with device eth0 at ADDR
#                             (10.0.0.1/24), whose other end is port NAME of
#                             BRIDGE; the namespace's name in $ns
#   in_ns NAME CMD...         runs CMD in a namespace made here
#   at_exit CMD               runs CMD, a line of shell, on exit, last first
#   need CMD REASON           skips the whole test unless CMD succeeds
#   check NAME CMD...         prints "ok NAME" if CMD succeeds, else "not ok"
#                             with the end of CMD's output
#   refuses NAME TEXT CMD...  the same, if CMD fails and its output has TEXT
#   pass NAME, fail NAME WHY  for what does not fit check
#   finish                    ends the test; its status says whether all
#                             checks passed
#
# A test that runs from the shell finds the programs in build/bin.

set -u

TOP=${TOP:-$(cd "$(dirname "$0")/../.." && pwd)}
BUILD=${BUILD:-$TOP/build}
PATH=$BUILD/bin:$PATH:/usr/sbin:/sbin
export PATH

n_failed=0
exit_commands=
pid=
ns=

dir=$(mktemp -d "${TMPDIR:-/tmp}/bvs-test.XXXXXX") || exit 1
mkdir "$dir/run" "$dir/etc" "$dir/log"
export OVS_RUNDIR="$dir/run" OVS_DBDIR="$dir/etc" OVS_LOGDIR="$dir/log"
export OVS_SYSCONFDIR="$dir/etc"
unset OVS_CTL_TIMEOUT

at_exit() {
    exit_commands="$1
$exit_commands"
}

clean_up() {
    status=$?
    trap - EXIT INT TERM HUP
    eval "$exit_commands" >/dev/null 2>&1
    rm -rf "$dir"
    exit "$status"
}
trap clean_up EXIT
trap 'exit 130' INT
trap 'exit 143' TERM HUP

pass() {
    echo "ok $1"
}

fail() {
    echo "not ok $1 - $2"
    n_failed=$((n_failed + 1))
}

finish() {
    [ "$n_failed" = 0 ]
    exit
}

skip_all() {
    echo "skip all - $1"
    exit 0
}

need() {
    $1 >/dev/null 2>&1 || skip_all "$2"
}

is_root() {
    [ "$(id -u)" = 0 ]
}

# The last lines of a file in one.
last_lines() {
    tail -n 5 "$1" | tr '\n' ' '
}

check() {
    check_name=$1
    shift
    if "$@" >"$dir/check.out" 2>&1; then
        pass "$check_name"
    else
        fail "$check_name" "$* failed: $(last_lines "$dir/check.out")"
    fi
}

refuses() {
    check_name=$1
    check_text=$2
    shift 2
    if "$@" >"$dir/check.out" 2>&1; then
        fail "$check_name" "$* succeeded"
    elif grep -qF -- "$check_text" "$dir/check.out"; then
        pass "$check_name"
    else
        fail "$check_name" \
            "no '$check_text' in: $(last_lines "$dir/check.out")"
    fi
}

# Does CMD print exactly TEXT?
prints() {
    prints_text=$1
    shift
    prints_out=$("$@") || return 1
    [ "$prints_out" = "$prints_text" ] || {
        echo "printed '$prints_out', not '$prints_text'"
        return 1
    }
}

now_ms() {
    date +%s%3N
}

has_os_ken() {
    /usr/bin/python3 -c 'import os_ken'
}

# Keys: $dir/NAME-key.pem and $dir/NAME-cert.pem of an authority $1; of $2,
# signed by the authority $1.
authority() {
    openssl req -x509 -newkey rsa:2048 -nodes -days 2 -subj "/CN=$1" \
        -keyout "$dir/$1-key.pem" -out "$dir/$1-cert.pem"
}
sign() {
    openssl req -newkey rsa:2048 -nodes -subj "/CN=$2" \
        -keyout "$dir/$2-key.pem" -out "$dir/$2.csr" &&
        openssl x509 -req -in "$dir/$2.csr" -days 2 -CA "$dir/$1-cert.pem" \
            -CAkey "$dir/$1-key.pem" -CAcreateserial -out "$dir/$2-cert.pem"
}

wait_until() {
    deadline=$(($(now_ms) + $1 * 1000))
    shift
    while ! "$@" >/dev/null 2>&1; do
        [ "$(now_ms)" -lt "$deadline" ] || {
            echo "waited in vain for: $*" >&2
            return 1
        }
        # Not a wait for something to happen, only a pace for asking.
        sleep 0.02
    done
}

is_gone() {
    ! kill -0 "$1" 2>/dev/null
}

wait_gone() {
    wait_until "$1" is_gone "$2"
}

# Ends a process and waits; by force if it does not want to.
end_process() {
    kill "$1" 2>/dev/null || return 0
    wait_gone 5 "$1" || kill -9 "$1"
}

start_daemon() {
    daemon_name=$1
    shift
    "$@" >"$dir/$daemon_name.log" 2>&1 &
    pid=$!
    at_exit "end_process $pid"
}

# Where start_bvs finds its database.
db_file=$OVS_DBDIR/conf.db

bvs_pid() {
    cat "$OVS_RUNDIR/ovs-vswitchd.pid"
}

start_bvs() {
    bvs-vswitchd --db-file="$db_file" --detach --no-chdir --pidfile \
        --log-file -vconsole:off "$@" >"$dir/start.log" 2>&1 || {
        cat "$dir/start.log" >&2
        return 1
    }
    at_exit "end_process $(bvs_pid)"
}

stop_bvs() {
    stop_pid=$(bvs_pid) || return 1
    bvs-appctl -T 10 exit --cleanup && wait_gone 10 "$stop_pid"
}

ns_add() {
    ns=bvs-$$-$1
    ip netns add "$ns" || return 1
    at_exit "ip netns del $ns"
    ip -n "$ns" link set lo up
}

in_ns() {
    in_ns_name=bvs-$$-$1
    shift
    ip netns exec "$in_ns_name" "$@"
}

ns_port() {
    ns_add "$2" || return 1
    ip link add name "$2" type veth peer name eth0 netns "$ns" || return 1
    at_exit "ip link del $2"
    ip -n "$ns" addr add "$3" dev eth0 &&
        ip -n "$ns" link set eth0 up &&
        ip link set "$2" up &&
        bvs-vsctl add-port "$1" "$2"
}
