#!/bin/sh
# SPDX-License-Identifier: Apache-2.0
#
# Makes a Debian package of what `make install' has put below a folder:
#
#   deb.sh FOLDER VERSION OUTPUT      OUTPUT: folder for bvs_VERSION_ARCH.deb
#
# The package installs the programs, their pages and the systemd unit, and
# starts nothing: the unit owns the same directories and database as
# openvswitch-switch, so whoever wants it says `systemctl enable --now
# bvs-vswitchd'.  Removing the package stops it; the database, which is Open
# vSwitch's, stays.

set -eu

root=$1
version=$2
output=$3
arch=$(dpkg --print-architecture)

# dpkg-shlibdeps wants a source package around it.
work=$(mktemp -d)
trap 'rm -rf "$work"' EXIT
mkdir "$work/debian"
printf 'Source: bvs\nPackage: bvs\nArchitecture: any\n' >"$work/debian/control"
programs=$(cd "$root" && pwd)
depends=$(cd "$work" && dpkg-shlibdeps -O \
    "$programs"/usr/sbin/bvs-* "$programs"/usr/bin/bvs-* 2>/dev/null |
    sed -n 's/^shlibs:Depends=//p')
[ -n "$depends" ] || {
    echo "deb: dpkg-shlibdeps found no dependencies" >&2
    exit 1
}

mkdir -p "$root/DEBIAN"
cat >"$root/DEBIAN/control" <<END
Package: bvs
Version: $version
Architecture: $arch
Maintainer: The bvs project <bvs@localhost>
Depends: $depends
Recommends: openvswitch-common
Section: net
Priority: optional
Installed-Size: $(du -sk --exclude=DEBIAN "$root" | cut -f 1)
Description: BPF virtual switch
 Open vSwitch's control plane on a datapath of eBPF: OpenFlow tables are
 compiled into programs that run on every packet.  What configures Open
 vSwitch configures it: OVSDB, OpenFlow 1.0 to 1.5, ovs-vsctl, ovs-ofctl,
 ovs-appctl.
END

cat >"$root/DEBIAN/postinst" <<'END'
#!/bin/sh
set -e
if [ "$1" = configure ] && [ -d /run/systemd/system ]; then
    systemctl daemon-reload
    # An upgrade: what ran goes on with the new programs.
    systemctl try-restart bvs-vswitchd.service
fi
END
cat >"$root/DEBIAN/prerm" <<'END'
#!/bin/sh
set -e
if [ "$1" = remove ] && [ -d /run/systemd/system ]; then
    systemctl disable --now bvs-vswitchd.service
fi
END
cat >"$root/DEBIAN/postrm" <<'END'
#!/bin/sh
set -e
if [ -d /run/systemd/system ]; then
    systemctl daemon-reload
fi
END
chmod 755 "$root/DEBIAN/postinst" "$root/DEBIAN/prerm" "$root/DEBIAN/postrm"
mkdir -p "$output"
dpkg-deb --root-owner-group -Zxz -z1 --build "$root" \
    "$output/bvs_${version}_$arch.deb"
