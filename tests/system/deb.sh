#!/bin/sh
# SPDX-License-Identifier: Apache-2.0
# shellcheck disable=SC2317 # functions are called through check
# timeout: 300
#
# `make deb': the package installs, runs and is removed cleanly, on a copy of
# this system that is thrown away.

if [ -z "${BVS_INSIDE:-}" ] && [ "$(id -u)" = 0 ]; then
    BVS_INSIDE=1 exec unshare --mount --net "$0"
fi

# shellcheck source=tests/system/lib.sh
. "$(dirname "$0")/lib.sh"
need is_root "needs root, to install a package"
need 'dpkg-shlibdeps --version' 'there is no dpkg-shlibdeps (dpkg-dev)'

# The tree is not changed: what is built is built elsewhere.
builds() {
    make -s -C "$TOP" BUILD="$BUILD" PREFIX=/usr DESTDIR="$dir/root" \
        install &&
        "$TOP/utilities/deb.sh" "$dir/root" 0.1.0 "$dir" >/dev/null &&
        deb=$(echo "$dir"/bvs_*.deb) && [ -f "$deb" ]
}
check 'builds' builds

# / and what is written over it.
mkdir "$dir/over" "$dir/new"
mount -t tmpfs tmpfs "$dir/over" || skip_all 'no tmpfs can be mounted'
at_exit "umount $dir/over"
mkdir "$dir/over/upper" "$dir/over/work"
mount -t overlay overlay \
    -o "lowerdir=/,upperdir=$dir/over/upper,workdir=$dir/over/work" \
    "$dir/new" || skip_all 'no overlay can be mounted'
at_exit "umount -l $dir/new"
for i in proc sys dev; do
    mount --rbind "/$i" "$dir/new/$i"
    at_exit "umount -l $dir/new/$i"
done
cp "$deb" "$dir/new/bvs.deb"

in_new() {
    env -u OVS_RUNDIR -u OVS_DBDIR -u OVS_LOGDIR -u OVS_SYSCONFDIR \
        PATH=/usr/sbin:/usr/bin:/sbin:/bin chroot "$dir/new" "$@"
}
files() {
    find "$dir/new/usr" -name '*bvs*' | sort
}

files >"$dir/before"
check 'installs' in_new dpkg -i /bvs.deb
# shellcheck disable=SC2016 # dpkg-query expands it
check 'is installed' prints 'install ok installed' \
    in_new dpkg-query -W -f '${Status}' bvs
check 'has its programs' in_new bvs-vswitchd --version
check 'has its unit' \
    test -f "$dir/new/usr/lib/systemd/system/bvs-vswitchd.service"
check 'has its pages' \
    test -f "$dir/new/usr/share/man/man8/bvs-vswitchd.8"

ip link set lo up
# Inside: links there may be absolute.
in_new rm -rf /etc/openvswitch /run/openvswitch
in_new mkdir -p /etc/openvswitch /run/openvswitch /var/log/openvswitch
# As the unit starts it.
command=$(sed -n 's/^ExecStart=//p' \
    "$dir/new/usr/lib/systemd/system/bvs-vswitchd.service")
# shellcheck disable=SC2086 # words
check 'starts' in_new $command --detach --pidfile
stops() {
    in_new bvs-appctl -T 10 exit --cleanup
}
at_exit stops
check 'makes a bridge' in_new bvs-vsctl -t 20 add-br br0 \
    -- set bridge br0 datapath_type=netdev
check 'with a device' ip link show br0
check 'which OpenFlow reaches' in_new ovs-ofctl add-flow br0 actions=NORMAL
daemon=$(in_new cat /run/openvswitch/ovs-vswitchd.pid)
check 'ends' stops
check 'is gone' wait_gone 20 "$daemon"

check 'installs again' in_new dpkg -i /bvs.deb
check 'is removed' in_new dpkg -r bvs
files >"$dir/after"
check 'and leaves nothing' diff "$dir/before" "$dir/after"
check 'but the database' in_new test -s /etc/openvswitch/conf.db
check 'is purged' in_new dpkg -P bvs
finish
