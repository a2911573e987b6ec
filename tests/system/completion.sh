#!/bin/sh
# SPDX-License-Identifier: Apache-2.0
# shellcheck disable=SC2317 # functions are called through check
# timeout: 240
#
# Completion of command lines in bash.

# shellcheck source=tests/system/lib.sh
. "$(dirname "$0")/lib.sh"
need 'bash --version' 'there is no bash'
need 'ovsdb-client --version' 'there is no ovsdb-client'

# Prints what the words, of which the last is incomplete, complete to.
completes() {
    bash -c '
        . "$1/utilities/bvs-completion.bash"
        shift
        COMP_WORDS=("$@")
        COMP_CWORD=$(($# - 1))
        "_${1//-/_}"
        printf "%s\n" "${COMPREPLY[@]}"' bash "$TOP" "$@" | sort | xargs
}

check 'starts' start_bvs --enable-dummy --disable-system
check 'adds ports' bvs-vsctl -t 30 add-br br0 \
    -- set bridge br0 datapath_type=dummy \
    -- add-br br1 -- set bridge br1 datapath_type=dummy \
    -- add-port br0 port7 -- set interface port7 type=dummy

check 'a command' prints 'add-bond add-bond-iface' \
    completes bvs-vsctl add-bo
check 'an option' prints '--may-exist' completes bvs-vsctl --may
check 'a bridge' prints 'br0 br1' completes bvs-vsctl del-br br
check 'behind an option' prints 'br0 br1' \
    completes bvs-vsctl --if-exists del-br br
check 'a port' prints 'port7' completes bvs-vsctl del-port br0 po
check 'a table' prints 'Interface' completes bvs-vsctl set Interf
check 'a record' prints 'port7' completes bvs-vsctl set Interface po
check 'a column' prints 'ofport ofport_request' \
    completes bvs-vsctl set Interface port7 ofp
check 'one more column' prints 'mtu mtu_request' \
    completes bvs-vsctl set Interface port7 ofport_request=7 mt
check 'the next command' prints 'br0 br1' \
    completes bvs-vsctl add-br br2 -- del-br br
check 'a command of the daemon' prints 'pipeline/plan pipeline/profile pipeline/show' \
    completes bvs-appctl pipeline/
check 'its bridge' prints 'br0 br1' completes bvs-appctl fdb/show br

finish
