#!/bin/sh
# SPDX-License-Identifier: Apache-2.0
# timeout: 90
#
# DPDK: when it starts and what is said when it does not, ports on virtual
# devices, queues, statistics, a guest's virtio behind vhost-user.  Without
# hugepages, in 384 MB.
#
# shellcheck disable=SC2317,SC2119 # called through check

if [ -z "${BVS_INSIDE:-}" ] && [ "$(id -u)" = 0 ]; then
    BVS_INSIDE=1 exec unshare --net "$0"
fi

# shellcheck source=tests/system/lib.sh
. "$(dirname "$0")/lib.sh"
need is_root "needs root, for DPDK"

vsctl() {
    bvs-vsctl --timeout=20 "$@"
}

# dpdk NAME DEVARGS [OPTION]...: adds a port.
dpdk() {
    dpdk_name=$1
    dpdk_args=$2
    shift 2
    vsctl add-port br0 "$dpdk_name" -- set interface "$dpdk_name" type=dpdk \
        "options:dpdk-devargs=\"$dpdk_args\"" "$@"
}

get() {
    vsctl get interface "$@"
}

sent() {
    prints "$2" sh -c \
        "ovs-ofctl dump-ports br0 $1 | sed -n 's/.*tx pkts=\([0-9]*\).*/\1/p'"
}

# says NAME TEXT: the error of interface NAME has TEXT.
says() {
    wait_until 10 sh -c "bvs-vsctl get interface $1 error | grep -qF \"$2\"" ||
        get "$1" error
}

shows() {
    bvs-appctl "$1" | grep -q "$2"
}

flow() {
    ovs-ofctl del-flows br0 && ovs-ofctl add-flow br0 "$1"
}

start_bvs

check bridge vsctl add-br br0 -- set-fail-mode br0 secure

# Switched off, and without hugepages.
vsctl set open . other_config:dpdk-init=false
check not-started prints false vsctl get open . dpdk_initialized
dpdk d0 net_null0 2>"$dir/err"
check off says d0 "DPDK is off"
vsctl del-port br0 d0
vsctl remove open . other_config dpdk-init
if grep -q 'HugePages_Free: *0$' /proc/meminfo; then
    dpdk d0 net_null0 2>"$dir/err"
    check no-hugepages says d0 "sysctl -w vm.nr_hugepages"
    vsctl del-port br0 d0
fi
check others-work vsctl add-port br0 i0 -- set interface i0 type=internal ofport_request=9

# The first port starts it.
vsctl set open . other_config:dpdk-extra="--no-huge -m 384 --no-pci"
/usr/bin/python3 - "$dir/in.pcap" <<'PYTHON'
import sys
from scapy.all import Ether, IP, UDP, wrpcap
wrpcap(sys.argv[1], [
    Ether(dst="02:00:00:00:00:02", src="02:00:00:00:00:01")
    / IP(src="10.0.0.1", dst="10.0.0.2", id=i) / UDP(sport=i + 1, dport=2)
    / bytes(18 + i % 1000) for i in range(3000)])
PYTHON
head -c 24 "$dir/in.pcap" >"$dir/none.pcap"
check out dpdk out \
    "net_pcap0,rx_pcap=$dir/none.pcap,tx_pcap=$dir/out.pcap" ofport_request=2
check started prints true vsctl get open . dpdk_initialized
check flow flow in_port=1,actions=output:2
check in dpdk in "net_pcap1,rx_pcap=$dir/in.pcap,tx_pcap=$dir/no.pcap" \
    ofport_request=1
check all-sent wait_until 20 sent out 3000
check link-state prints up get in link_state
check driver prints net_pcap get in status:driver_name
check direct shows worker/show 'queue 0 of in (dpdk)'
vsctl del-port br0 out
frames() {
    tcpdump -nnt -xx -r "$1" 2>/dev/null | grep 0x
}
same_bytes() {
    frames "$dir/in.pcap" >"$dir/in.txt"
    frames "$dir/out.pcap" >"$dir/out.txt"
    cmp "$dir/in.txt" "$dir/out.txt"
}
check in-order-and-whole same_bytes

# Open vSwitch's policer: 200 bytes a second, and 60,000 at once, of 1.6 MB.
# Devices of DPDK take their files when they are opened.
check policed-out dpdk out \
    "net_pcap5,rx_pcap=$dir/none.pcap,tx_pcap=$dir/out.pcap" ofport_request=2
check egress-policer vsctl set port out qos=@q -- --id=@q create qos \
    type=egress-policer other_config:cir=200 other_config:cbs=60000
vsctl del-port br0 in
check policed-in dpdk in \
    "net_pcap6,rx_pcap=$dir/in.pcap,tx_pcap=$dir/no.pcap" ofport_request=1
all_received() {
    ovs-ofctl dump-flows br0 in_port=1 | grep -q 'n_packets=6000'
}
check all-of-it-came wait_until 20 all_received
some_sent() {
    frames=$(ovs-ofctl dump-ports br0 2 |
        sed -n 's/.*tx pkts=\([0-9]*\), bytes=\([0-9]*\).*/\2/p')
    if [ "$frames" -le 40000 ] || [ "$frames" -ge 65000 ]; then
        echo "$frames bytes"
        return 1
    fi
}
check some-of-it-left some_sent
check no-policer vsctl clear port out qos
vsctl del-port br0 in
check unpoliced-in dpdk in \
    "net_pcap7,rx_pcap=$dir/in.pcap,tx_pcap=$dir/no.pcap" ofport_request=1
all_left() {
    [ "$(ovs-ofctl dump-ports br0 2 |
        sed -n 's/.*tx pkts=\([0-9]*\),.*/\1/p')" -ge 3000 ]
}
check all-of-it-leaves wait_until 20 all_left
vsctl del-port br0 out
vsctl del-port br0 in
check reopen-in dpdk in "net_null1,no-rx=1" ofport_request=1
check reopen dpdk out "net_null2,no-rx=1" ofport_request=2

# A virtual network device of Linux behind DPDK.
check tap dpdk tap "net_tap0,iface=bvstap$$" options:n_rxq=2
check tap-is-there ip link show "bvstap$$"
vsctl del-port br0 tap

# Several queues, on several workers.
check queues dpdk many "net_null3,no-rx=1" options:n_rxq=3
check queues-shown wait_until 5 shows dpif-netdev/pmd-rxq-show \
    'many .*queue-id:  2'
vsctl set open . other_config:pmd-cpu-mask=0x3
if [ "$(nproc)" -gt 1 ]; then
    check workers wait_until 5 shows worker/show 'core 1'
fi
vsctl set interface many options:n_rxq=1
no_queue_2() {
    ! shows dpif-netdev/pmd-rxq-show 'many .*queue-id:  2'
}
check fewer-queues wait_until 5 no_queue_2
check poll-mode vsctl set open . other_config:worker-mode=poll
busy() {
    bvs-appctl worker/reset &&
        shows worker/show 'asleep: .*(0 times)'
}
check polls wait_until 10 busy
vsctl remove open . other_config worker-mode pmd-cpu-mask

# A guest's network device: virtio_user, in another switch, is its half;
# vhost-user ours.  What comes from there goes back.
guest() (
    export OVS_RUNDIR="$dir/guest" OVS_DBDIR="$dir/guest"
    export OVS_LOGDIR="$dir/guest" OVS_SYSCONFDIR="$dir/guest"
    "$@"
)
guest_start() {
    mkdir "$dir/guest"
    guest bvs-vswitchd --db-file="$dir/guest/conf.db" --detach --no-chdir \
        --pidfile --log-file -vconsole:off
    at_exit "end_process $(cat "$dir/guest/ovs-vswitchd.pid")"
    guest vsctl set open . \
        other_config:dpdk-extra="--no-huge -m 384 --no-pci"
    guest vsctl add-br br1
    guest ovs-ofctl del-flows br1
    guest ovs-ofctl add-flow br1 actions=in_port
}
check guest guest_start
check vhost vsctl add-port br0 vhost -- set interface vhost \
    type=dpdkvhostuserclient options:vhost-server-path="$dir/vhost.sock" \
    ofport_request=5
check virtio guest vsctl add-port br1 virtio -- set interface virtio \
    type=dpdk "options:dpdk-devargs=\"net_virtio_user0,path=$dir/vhost.sock,server=1\""
connected() {
    prints up get vhost link_state
}
check vhost-connected wait_until 20 connected
check virtio-flow flow in_port=5,actions=output:2
ovs-ofctl add-flow br0 in_port=1,actions=output:5
vsctl del-port br0 in
check into-the-guest dpdk in \
    "net_pcap4,rx_pcap=$dir/in.pcap,tx_pcap=$dir/no.pcap" ofport_request=1
through_vhost() {
    ovs-ofctl dump-flows br0 in_port=5 | grep -q 'n_packets=[1-9]'
}
check out-of-the-guest wait_until 20 through_vhost

# What cannot be.
{
    vsctl add-port br0 bad1 -- set interface bad1 type=dpdk
    dpdk bad2 net_nothing0
    dpdk bad3 net_pcap9,rx_pcap=/nowhere
} 2>"$dir/err"
check no-devargs says bad1 "missing 'options:dpdk-devargs'"
check no-device says bad2 "Error attaching device 'net_nothing0'"
check no-file says bad3 "Error attaching device 'net_pcap9,"
check still-alive shows worker/show worker
check stop stop_bvs
finish
