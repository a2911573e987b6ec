#!/bin/sh
# SPDX-License-Identifier: Apache-2.0
# shellcheck disable=SC2317 # functions are called through check
# timeout: 180
#
# The examples of the man pages do what they say: each is run.  (Those of
# bvs-bpf.8 are run by bpf-tool.sh.)

if [ -z "${BVS_INSIDE:-}" ] && [ "$(id -u)" = 0 ]; then
    BVS_INSIDE=1 exec unshare --net "$0"
fi

# shellcheck source=tests/system/lib.sh
. "$(dirname "$0")/lib.sh"
need is_root "needs root, for devices"
need 'tshark --version' 'there is no tshark'

# The lines of a page's section EXAMPLES: .Dl of mdoc, .EX to .EE of man.
examples() {
    sed -n '/^.S[hH] EXAMPLES/,/^.S[hH] SEE/p' "$TOP/utilities/man/$1" |
        sed -n 's/^\.Dl //p
/^\.EX/,/^\.EE/{
/^\.E/d
p
}' | sed 's/\\-/-/g; s/\\e/\\/g; s/\\&//g; s/\\\\$/\\/'
}

mkdir "$dir/w"
ln -s "$TOP/tests" "$dir/w/tests"

# Runs what is in the file $1 in the folder of those files.
runs() {
    (cd "$dir/w" && timeout 60 sh -e "$1")
}

# Page $1, one example a line.
lines() {
    n=0
    examples "$1" >"$dir/lines"
    while IFS= read -r line; do
        n=$((n + 1))
        printf '%s\n' "$line" >"$dir/example"
        check "$1: $line" runs "$dir/example" </dev/null
    done <"$dir/lines"
    [ "$n" -gt 1 ] || fail "$1" "only $n examples"
}

examples bvs-replay.1 >"$dir/example"
check 'bvs-replay.1: has examples' \
    test "$(grep -c '^bvs-replay' "$dir/example")" -ge 3
check 'bvs-replay.1: all of them' runs "$dir/example"
check 'bvs-replay.1: coverage.html' test -s "$dir/w/coverage.html"

ip link set lo up
ip link add eth1 type veth peer name eth2
check 'starts' start_bvs --enable-dummy
lines bvs-vsctl.8
check 'a port for the rest' bvs-vsctl -t 10 del-controller br0 \
    -- set bridge br0 datapath_type=netdev \
    -- add-port br0 p1 -- set interface p1 type=dummy
ovs-ofctl add-flow br0 in_port=p1,actions=drop

# Those of bvs-appctl.8 go on until something comes, or is read.
examples bvs-appctl.8 >"$dir/appctl"
check 'bvs-appctl.8: two captures' prints 2 \
    grep -c '^bvs-appctl capture br0' "$dir/appctl"
looks() {
    sed "s/--count 100/--count 1/; s/--dropped/--dropped --count 1/" \
        "$dir/appctl" >"$dir/bounded"
    (cd "$dir/w" && timeout 60 sh -e "$dir/bounded" >"$dir/looked" 2>&1) &
    looking=$!
    while ! is_gone "$looking"; do
        bvs-appctl -T 10 netdev-dummy/receive p1 "in_port(1),eth(src=\
50:54:00:00:00:01,dst=50:54:00:00:00:02),eth_type(0x1234)" || return 1
    done
    wait "$looking" || { cat "$dir/looked"; return 1; }
    grep -q 'dropped in table 0' "$dir/looked" && [ -s "$dir/w/p1.pcapng" ]
}
check 'bvs-appctl.8: see packets' looks
check 'stops' stop_bvs
finish
