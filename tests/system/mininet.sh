#!/bin/sh
# SPDX-License-Identifier: Apache-2.0
# shellcheck disable=SC2317 # functions are called through check
# timeout: 300
#
# Mininet, as Debian has it, with bvs as its OVSSwitch: a tree of seven
# switches and eight hosts, under Open vSwitch's ovs-testcontroller.
#
# All of it runs in namespaces of its own, also for processes: mininet ends
# programs by their names.

if [ -z "${BVS_INSIDE:-}" ] && [ "$(id -u)" = 0 ]; then
    BVS_INSIDE=1 exec unshare --net --pid --fork --kill-child --mount-proc "$0"
fi

# shellcheck source=tests/system/lib.sh
. "$(dirname "$0")/lib.sh"
need is_root 'needs root, for namespaces'
need 'mn --version' 'there is no mininet'
has_testcontroller() {
    command -v ovs-testcontroller
}
need has_testcontroller 'there is no ovs-testcontroller'

ip link set lo up
at_exit 'rm -f /tmp/c0.log'

# pingall with the switch class $1.
pingall() {
    mn --topo tree,depth=3,fanout=2 --switch "$1" --controller ovsc \
        --test pingall >"$dir/mn.out" 2>&1
    grep -q 'Results: 0% dropped (56/56 received)' "$dir/mn.out" || {
        cat "$dir/mn.out"
        return 1
    }
}

check 'starts' start_bvs
check 'pingall' pingall ovsk,datapath=user
check 'takes its switches away' prints '' ovs-vsctl list-br
# Without a type of datapath, and OpenFlow 1.3.
check 'pingall, OpenFlow 1.3' pingall ovsk,protocols=OpenFlow13
check 'pingall, no controller' sh -c \
    "mn --topo linear,3 --switch ovsbr --controller none --test pingall 2>&1 |
        grep -q 'Results: 0% dropped (6/6 received)'"
check 'the daemon ends' stop_bvs
finish
