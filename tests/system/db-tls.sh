#!/bin/sh
# SPDX-License-Identifier: Apache-2.0
# shellcheck disable=SC2317 # functions are called through check
# timeout: 60
#
# The database over TLS, with keys of the test's own authority.

# shellcheck source=tests/system/lib.sh
. "$(dirname "$0")/lib.sh"

need 'openssl version' 'there is no openssl'
need 'ovs-vsctl --version' 'there is no stock ovs-vsctl'

make_keys() {
    authority ca && authority stranger && sign ca switch &&
        sign ca client && sign stranger intruder
}

# The client's command line with the keys of $1.
vsctl() {
    vsctl_name=$1
    vsctl_program=$2
    shift 2
    "$vsctl_program" -t 5 --no-wait --db="ssl:127.0.0.1:$port" \
        --private-key="$dir/$vsctl_name-key.pem" \
        --certificate="$dir/$vsctl_name-cert.pem" \
        --ca-cert="$dir/ca-cert.pem" "$@"
}

bound_port() {
    ovs-vsctl -t 5 get Manager pssl:0:127.0.0.1 status:bound_port |
        tr -d '"' | grep .
}

check 'makes keys' make_keys
check 'starts' start_bvs --enable-dummy --disable-system
check 'set-ssl' bvs-vsctl -t 10 set-ssl "$dir/switch-key.pem" \
    "$dir/switch-cert.pem" "$dir/ca-cert.pem"
check 'get-ssl' prints "Private key: $dir/switch-key.pem
Certificate: $dir/switch-cert.pem
CA Certificate: $dir/ca-cert.pem
Bootstrap: false" bvs-vsctl -t 10 get-ssl
check 'set-manager pssl' bvs-vsctl -t 10 set-manager pssl:0:127.0.0.1
check 'listens' wait_until 10 bound_port
port=$(bound_port)
check 'serves stock ovs-vsctl over TLS' vsctl client ovs-vsctl add-br br0 \
    -- set bridge br0 datapath_type=dummy
check 'serves bvs-vsctl over TLS' prints br0 vsctl client bvs-vsctl list-br
refuses 'a client that another authority signed' \
    'database connection failed' vsctl intruder bvs-vsctl list-br
check 'serves on afterwards' prints br0 vsctl client bvs-vsctl list-br

# The keys come from the database again after a restart.
stop_bvs
check 'restarts' start_bvs --enable-dummy --disable-system
check 'listens again' wait_until 10 bound_port
port=$(bound_port)
check 'serves over TLS after a restart' \
    prints br0 vsctl client ovs-vsctl list-br

finish
