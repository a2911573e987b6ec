#!/bin/sh
# SPDX-License-Identifier: Apache-2.0
#
# Sees to it that the Debian packages which bvs needs are there.
#
#   deps.sh [GROUP]...     GROUP: build demo check lint bench aarch64; without
#                          one, the first three
#   deps.sh --list         prints the table
#
# As root it installs what is missing, without Recommends and without letting
# a package start its daemon; otherwise it prints the command and fails.
# It is silent and quick when nothing is missing.

set -eu

# Group, package, why.  A line's group is the first that needs it.
table() {
    cat <<EOF
build gcc                  compiles
build libc6-dev            C library
build binutils             objcopy bends a few calls in Open vSwitch's objects
build pkg-config           finds libraries
build python3              Open vSwitch's sources are partly generated
build openvswitch-source   the control plane
build libdpdk-dev          DPDK ports; Open vSwitch's packet buffers
build libxdp-dev           AF_XDP ports
build libbpf-dev           programs in ELF files
build libelf-dev           programs in ELF files
build libpcap-dev          pcap ports and bvs-replay
build zlib1g-dev           compressed captures
build libnuma-dev          memory near a port
build libssl-dev           TLS to controllers and databases
build libunbound-dev       names of controllers
build libcap-ng-dev        --user
build libcapstone-dev      machine code as text: bvs-bpf disasm --native
build libcmocka-dev        unit tests
demo  openvswitch-common   ovs-ofctl, ovs-appctl, vswitch.ovsschema
demo  openvswitch-switch   ovs-vsctl; tests compare with its ovs-vswitchd
demo  iproute2             network namespaces
demo  ethtool              offloads of veth
demo  iputils-ping         ping
demo  curl                 fetches a page
demo  procps               ps
demo  python3-os-ken       a controller
check python3-scapy        makes and takes packets
check python3-prometheus-client  parses metrics
check openvswitch-testcontroller  a controller that others wrote
check mininet              networks that others build
check tcpdump              watches packets
check tshark               reads captures and their comments
check iperf3               fills links
check valgrind             counts instructions
check clang-14             compiles eBPF programs
check clang-19             compiles eBPF programs for the newest CPU version
check linux-libc-dev       headers of those programs
check dpkg-dev             make deb
check xdp-tools            programs that others wrote
bench openvswitch-switch-dpdk  the switch to compare with
bench dpdk-dev             testpmd, what input and output cost alone
aarch64 gcc-aarch64-linux-gnu    compiles for AArch64
aarch64 libc6-dev-arm64-cross    its C library
aarch64 qemu-user                runs what was compiled
lint  clang                a second compiler's opinion
lint  clang-format         code format
lint  shellcheck           shell scripts
lint  mandoc               man pages
EOF
}

groups=
for arg; do
    case $arg in
    --list) table; exit 0 ;;
    build | demo | check | lint | bench | aarch64) groups="$groups $arg" ;;
    *) echo "deps: unknown argument $arg" >&2; exit 1 ;;
    esac
done
groups="${groups:- build demo check} "

if ! command -v dpkg-query >/dev/null || ! command -v apt-get >/dev/null; then
    echo "deps: this is not Debian; these packages' equivalents are needed:"
    table
    exit 1
fi

installed() {
    # shellcheck disable=SC2016 # dpkg-query expands it
    dpkg-query -W -f '${Package} ${db:Status-Status}\n' "$@" 2>/dev/null \
        | sed -n 's/ installed$//p'
}

wanted=$(table | while read -r group package why; do
             : "$why"
             case $groups in
             *" $group "*) echo "$package" ;;
             esac
         done)
# shellcheck disable=SC2086 # a list of packages
have=" $(installed $wanted | tr '\n' ' ')"
missing=
for package in $wanted; do
    case $have in
    *" $package "*) ;;
    *) missing="$missing $package" ;;
    esac
done
[ -n "$missing" ] || exit 0

if [ "$(id -u)" != 0 ]; then
    echo "deps: packages are missing; as root, run:" >&2
    echo "  apt-get install --no-install-recommends$missing" >&2
    exit 1
fi

# Debian asks /usr/sbin/policy-rc.d before it starts a daemon; 101 forbids.
policy=/usr/sbin/policy-rc.d
saved=$policy.before-bvs
restore() {
    trap '' INT TERM HUP
    if [ -e $saved ]; then
        mv $saved $policy
    elif [ -e $policy ] && grep -q 'by bvs, for a moment' $policy; then
        rm $policy
    fi
}
restore
answer=0
if [ -x $policy ]; then
    $policy openvswitch-switch start >/dev/null 2>&1 || answer=$?
fi
if [ $answer != 101 ]; then
    trap restore EXIT
    trap 'exit 130' INT TERM HUP
    [ ! -e $policy ] || mv $policy $saved
    printf '#!/bin/sh\n# by bvs, for a moment\nexit 101\n' >$policy
    chmod 755 $policy
fi

apt() {
    DEBIAN_FRONTEND=noninteractive apt-get -q -y \
        -o DPkg::Lock::Timeout=300 "$@"
}

echo "deps: installing$missing"
# shellcheck disable=SC2086 # a list of packages
if ! apt install --no-install-recommends $missing; then
    echo "deps: trying again with fresh package lists"
    apt update
    apt install --no-install-recommends $missing
fi

# Nor shall it start at the next boot, when it came only as a tool.
case $missing in
*" openvswitch-switch"*)
    if command -v systemctl >/dev/null; then
        systemctl -q disable openvswitch-switch.service 2>/dev/null || :
        echo "deps: openvswitch-switch was installed for its tools;" \
             "its service is disabled"
    fi ;;
esac
