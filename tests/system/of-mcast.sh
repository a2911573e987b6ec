#!/bin/sh
# SPDX-License-Identifier: Apache-2.0
# shellcheck disable=SC2317 # functions are called through check
# timeout: 240
#
# IGMP and MLD snooping: who learns what from reports and queries, who gets a
# multicast packet; and hosts that join and leave through their kernel.

if [ -z "${BVS_INSIDE:-}" ] && [ "$(id -u)" = 0 ]; then
    BVS_INSIDE=1 exec unshare --net "$0"
fi

# shellcheck source=tests/system/lib.sh
. "$(dirname "$0")/lib.sh"
need 'ovs-appctl --version' 'there is no stock ovs-appctl'
need is_root "needs root, for network namespaces"

appctl() {
    ovs-appctl -T 10 -t "$OVS_RUNDIR/ovs-vswitchd.$(bvs_pid).ctl" "$@"
}

vsctl() {
    bvs-vsctl -t 10 "$@"
}

# Prints a packet in hex: join, leave or query for an IPv4 GROUP, join3 (IGMP
# version 3), mldjoin, mlddone or mldquery for an IPv6 one, data to a GROUP.
packet() {
    /usr/bin/python3 - "$1" "$2" <<'PYTHON'
import ipaddress, struct, sys
kind, group = sys.argv[1], ipaddress.ip_address(sys.argv[2])
def csum(b):
    b += b"\0" * (len(b) % 2)
    s = sum(struct.unpack("!%dH" % (len(b) // 2), b))
    while s >> 16:
        s = (s & 0xffff) + (s >> 16)
    return ~s & 0xffff
def fill(b, at, extra=b""):
    return b[:at] + struct.pack("!H", csum(extra + b)) + b[at + 2:]
g = group.packed
if group.version == 4:
    igmp = {"join": 0x16, "leave": 0x17, "query": 0x11}
    if kind in igmp:
        proto, l4 = 2, fill(struct.pack("!BBH4s", igmp[kind], 0, 0, g), 2)
    elif kind == "join3":
        proto, l4 = 2, fill(struct.pack("!BBHHHBBH4s", 0x22, 0, 0, 0, 1,
                                        4, 0, 0, g), 2)
    else:
        proto, l4 = 17, struct.pack("!HHHH", 1000, 2000, 16, 0) + b"8 bytes."
    ip = fill(struct.pack("!BBHHHBBH4s4s", 0x45, 0, 20 + len(l4), 1, 0, 1,
                          proto, 0, bytes([10, 0, 0, 9]), g), 10)
    dst = b"\1\0\x5e" + bytes([g[1] & 127]) + g[2:]
    l3, eth = ip + l4, 0x0800
else:
    mld = {"mldjoin": 131, "mlddone": 132, "mldquery": 130}
    src = ipaddress.ip_address("fe80::9").packed
    if kind in mld:
        proto, l4 = 58, struct.pack("!BBHHH16s", mld[kind], 0, 0, 0, 0, g)
        l4 = fill(l4, 2, src + g + struct.pack("!II", len(l4), 58))
    else:
        proto, l4 = 17, struct.pack("!HHHH", 1000, 2000, 16, 1) + b"8 bytes."
    l3 = struct.pack("!IHBB16s16s", 6 << 28, len(l4), proto, 1, src, g) + l4
    dst, eth = b"\x33\x33" + g[12:], 0x86dd
print((dst + b"\2\0\0\0\0\x09" + struct.pack("!H", eth) + l3).hex())
PYTHON
}

# Port $1 receives packet $2 for group $3.
receive() {
    appctl netdev-dummy/receive "$1" "$(packet "$2" "$3")"
}

# Makes the ports' packets go to these files.
capture_to() {
    vsctl --if-exists set interface p1 "options:tx_pcap=$dir/$1.pcap" \
        -- --if-exists set interface p2 "options:tx_pcap=$dir/$2.pcap" \
        -- --if-exists set interface p3 "options:tx_pcap=$dir/$3.pcap" \
        -- --if-exists set interface p4 "options:tx_pcap=$dir/$4.pcap"
}

# No packet has been seen on the ports.
anew() {
    capture_to none none none none
    rm -f "$dir"/p?.pcap
    capture_to p1 p2 p3 p4
}

# Ports that sent a packet, one word a packet, since anew.
senders() {
    for i in p1 p2 p3 p4; do
        tcpdump -n -r "$dir/$i.pcap" 2>/dev/null | sed "s/.*/$i/"
    done | tr '\n' ' ' | sed 's/ $//'
}

# Prints who sends packet $2 for group $3 that port $1 receives.
who() {
    anew
    receive "$@" >/dev/null
    senders
}

mdb() {
    appctl mdb/show "${1:-br0}" |
        sed -n '2,$s/^ *\([^ ]*\) *\([0-9]*\) *\([^ ]*\) .*/\1 \2 \3/p' |
        sort | tr '\n' ';'
}

check 'starts' start_bvs --enable-dummy --disable-system
check 'adds a bridge' vsctl add-br br0 \
    -- set bridge br0 datapath_type=dummy \
    -- add-port br0 p1 -- set interface p1 type=dummy ofport_request=1 \
    -- add-port br0 p2 -- set interface p2 type=dummy ofport_request=2 \
    -- add-port br0 p3 -- set interface p3 type=dummy ofport_request=3 \
    -- add-port br0 p4 -- set interface p4 type=dummy ofport_request=4

refuses 'mdb/show without snooping' 'multicast snooping is disabled' \
    appctl mdb/show br0
refuses 'mdb/show of no bridge' 'no such bridge' appctl mdb/show br9
check 'without snooping all get all' prints 'p2 p3 p4' \
    who p1 data 239.1.1.1
vsctl set bridge br0 mcast_snooping_enable=true

## IGMP

check 'a group that nobody joined is flooded' prints 'p2 p3 p4' \
    who p1 data 239.1.1.1
receive p2 join 239.1.1.1
check 'a report is learned' prints '2 0 239.1.1.1;' mdb
check 'who joined gets it, others do not' prints 'p2' who p1 data 239.1.1.1
check 'it does not go back' prints '' who p2 data 239.1.1.1
check 'another group is flooded' prints 'p2 p3 p4' who p1 data 239.1.1.2
check 'and so is what is for all hosts' prints 'p2 p3 p4' \
    who p1 data 224.0.0.5
check 'and a query' prints 'p1 p2 p4' who p3 query 224.0.0.1
check 'its port is a router' prints '2 0 239.1.1.1;3 0 querier;' mdb
check 'routers get what others joined' prints 'p2 p3' who p1 data 239.1.1.1
check 'and reports, which others do not' prints 'p3' who p4 join3 239.1.1.3
check 'a report of version 3 is learned' \
    prints '2 0 239.1.1.1;3 0 querier;4 0 239.1.1.3;' mdb
receive p3 join 239.1.1.1
check 'a router that joined gets one copy' prints 'p2 p3' \
    who p1 data 239.1.1.1
receive p2 leave 239.1.1.1
receive p3 leave 239.1.1.1
check 'leaving is learned' prints '3 0 querier;4 0 239.1.1.3;' mdb
vsctl set bridge br0 \
    other_config:mcast-snooping-disable-flood-unregistered=true
check 'groups that nobody joined go to routers alone' prints 'p3' \
    who p1 data 239.1.1.9
check 'flushes' prints 'table successfully flushed' appctl mdb/flush br0
check 'then there are none' prints '' mdb
check 'and nobody gets it' prints '' who p1 data 239.1.1.9
nowhere() {
    appctl drop/show br0 | grep -q 'NORMAL: nowhere to forward'
}
check 'which is a drop with a reason' nowhere

## Ports that are always flooded

vsctl set port p4 other_config:mcast-snooping-flood=true
check 'a port may ask for all' prints 'p4' who p1 data 239.1.1.9
receive p4 join 239.1.1.9
check 'nothing is learned from it' prints '' mdb
vsctl set port p4 other_config:mcast-snooping-flood=false \
    other_config:mcast-snooping-flood-reports=true
check 'or for reports' prints 'p4' who p1 join 239.1.1.9
check 'but then not for the rest' prints 'p1' who p2 data 239.1.1.9

## MLD, and VLANs

check 'MLD reports go to nobody without a router' prints 'p4' \
    who p2 mldjoin ff0e::1
check 'and are learned' prints '1 0 239.1.1.9;2 0 ff0e::1;' mdb
check 'IPv6 packets go to who joined' prints 'p2' who p1 data ff0e::1
check 'MLD queries are flooded' prints 'p1 p2 p4' who p3 mldquery ff02::1
receive p2 mlddone ff0e::1
check 'MLD says who leaves' prints '1 0 239.1.1.9;3 0 querier;' mdb
vsctl set port p1 tag=5 -- set port p2 tag=5
check 'a port that changes its VLAN forgets' prints '3 0 querier;' mdb
receive p2 join 239.1.1.9
check 'groups are a VLAN'\''s' prints '2 5 239.1.1.9;3 0 querier;' mdb
check 'and so are their packets' prints 'p2' who p1 data 239.1.1.9
check 'other VLANs have a router' prints '' who p3 data 239.1.1.9

## The rest

check 'a controller'\''s packet-out teaches, too' \
    ovs-ofctl packet-out br0 p4 normal "$(packet join 239.1.1.4)"
check 'as if it had been received' \
    prints '2 5 239.1.1.9;3 0 querier;4 0 239.1.1.4;' mdb
vsctl del-port br0 p3
check 'a port that goes is forgotten' \
    prints '2 5 239.1.1.9;4 0 239.1.1.4;' mdb
vsctl set bridge br0 other_config:mcast-snooping-aging-time=1
receive p2 join 239.1.1.9
appctl time/warp 20000 1000 >/dev/null
check 'groups age' wait_until 10 prints '' mdb
vsctl set bridge br0 mcast_snooping_enable=false
check 'off again, all get all' prints 'p2 p4' who p1 data 239.1.1.9
check 'stops' stop_bvs

## Real hosts, and workers

db_file=$OVS_DBDIR/real.db
check 'starts with real ports' start_bvs
check 'adds a snooping bridge' vsctl add-br br1 \
    -- set bridge br1 datapath_type=netdev mcast_snooping_enable=true \
    other_config:mcast-snooping-disable-flood-unregistered=true
check 'a sender' ns_port br1 ms 10.0.0.1/24
check 'a host that joins' ns_port br1 mj 10.0.0.2/24
check 'one that does not' ns_port br1 mn 10.0.0.3/24
for i in ms mj mn; do
    in_ns "$i" ip route add 239.0.0.0/8 dev eth0
done

# Joins; prints what it gets.
start_daemon joiner in_ns mj /usr/bin/python3 -u -c '
import socket, struct, sys
s = socket.socket(socket.AF_INET, socket.SOCK_DGRAM)
s.bind(("239.2.2.2", 5000))
s.setsockopt(socket.IPPROTO_IP, socket.IP_ADD_MEMBERSHIP,
             struct.pack("4s4s", socket.inet_aton("239.2.2.2"),
                         socket.inet_aton("10.0.0.2")))
while True:
    print(s.recv(100).decode())
'

joiner=$pid
joined() {
    mdb br1 | grep -q '239\.2\.2\.2'
}
check 'the kernel'\''s report is learned' wait_until 50 joined
start_daemon other in_ns mn tcpdump -n -U -w "$dir/other.pcap" -i eth0 \
    udp port 5000
wait_until 10 grep -q 'listening on' "$dir/other.log"
sends() {
    in_ns ms /usr/bin/python3 -c '
import socket
s = socket.socket(socket.AF_INET, socket.SOCK_DGRAM)
s.setsockopt(socket.IPPROTO_IP, socket.IP_MULTICAST_TTL, 4)
s.sendto(b"hello", ("239.2.2.2", 5000))'
    grep -q hello "$dir/joiner.log"
}
check 'who joined gets it' wait_until 20 sends
# What comes after it has overtaken nothing.
in_ns ms ping -q -c 1 10.0.0.3 >"$dir/ping.out"
check 'the other one does not' prints '' \
    tcpdump -n -r "$dir/other.pcap" udp
# Its process is a child of the one that was started.
pkill -P "$joiner"
left() {
    ! joined
}
check 'the kernel'\''s leave is learned' wait_until 50 left
check 'ends' stop_bvs

finish
