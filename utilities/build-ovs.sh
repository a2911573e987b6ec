#!/bin/sh
# SPDX-License-Identifier: Apache-2.0
#
# Builds Open vSwitch's libraries once, into a cache that all clones share.
#
#   build-ovs.sh --print-dir [OPTIONS]   prints where that build lies
#   build-ovs.sh [OPTIONS]               makes it if it is missing
#
# OPTIONS: --source=TARBALL|DIR  what to build (default: Debian's tarball)
#          --sanitize=LIST       -fsanitize=LIST; has a place of its own
#          --cc=COMPILER --jobs=N
#
# The place is $BVS_CACHE (default ~/.cache/bvs)/ovs-VERSION-KEY, with the
# folders src/ (sources) and build/ (objects).  KEY is a hash over all that
# can change the result: sources, options, compiler, the libraries that
# configure looks for, and this script's recipe.  A place counts only once
# its file `complete' exists, which is written last; paths inside are
# absolute, so nothing is renamed afterwards.  A lock keeps two builds apart.

set -eu

# Raise this when a change of this script changes what it builds.
recipe=1
source=/usr/src/openvswitch/openvswitch.tar.gz
sanitize=
cc=${CC:-gcc}
jobs=$(nproc 2>/dev/null || echo 2)
print_dir=no

die() {
    echo "build-ovs: $*" >&2
    exit 1
}

for arg; do
    case $arg in
    --source=*) source=${arg#*=} ;;
    --sanitize=*) sanitize=${arg#*=} ;;
    --cc=*) cc=${arg#*=} ;;
    --jobs=*) jobs=${arg#*=} ;;
    --print-dir) print_dir=yes ;;
    *) die "unknown option $arg" ;;
    esac
done

# The cache.
cache=${BVS_CACHE:-${XDG_CACHE_HOME:-${HOME:?set HOME or BVS_CACHE}/.cache}/bvs}
case $cache in
/*) ;;
*) cache=$PWD/$cache ;;
esac

# What is built, and how.  -fPIC: the archives go into PIE programs and
# into tests.  Frame pointers only help where a sanitizer prints stacks.
# The directories are those of Debian's package, so that its tools find us.
options='--with-dpdk=shared --enable-afxdp --disable-silent-rules
         --prefix=/usr --sysconfdir=/etc --localstatedir=/var'
cflags='-O2 -g -fPIC'
if [ -n "$sanitize" ]; then
    cflags="-O1 -g -fPIC -fno-omit-frame-pointer -fsanitize=$sanitize"
fi
targets='lib/libopenvswitch.la ofproto/libofproto.la ovsdb/libovsdb.la
         vswitchd/bridge.o vswitchd/system-stats.o'

# A directory's hash goes over its files' names and contents.
if [ -f "$source" ]; then
    source_sum=$(sha256sum <"$source")
elif [ -f "$source/configure.ac" ]; then
    [ -f "$source/configure" ] || die "$source has no configure script;" \
        "run ./boot.sh there (packages autoconf automake libtool)"
    [ ! -f "$source/config.status" ] || die "$source was configured in" \
        "place; run 'make distclean' there first"
    source=$(cd "$source" && pwd)
    source_sum=$(cd "$source" && find . -name .git -prune -o -type f -print0 \
                 | LC_ALL=C sort -z | xargs -0 sha256sum | sha256sum)
else
    die "$source: neither a tarball nor a directory of Open vSwitch's" \
        "sources (Debian's come with the package openvswitch-source)"
fi
version() {
    if [ -f "$source" ]; then
        tar xzOf "$source" --wildcards --occurrence=1 '*/configure.ac'
    else
        cat "$source/configure.ac"
    fi | sed -n 's/^AC_INIT(openvswitch, \([^,]*\),.*/\1/p'
}
version=$(version)
[ -n "$version" ] || die "$source does not look like Open vSwitch's sources"

key=$({
    echo "$version $source_sum $options $cflags"
    $cc --version 2>/dev/null | head -n 1
    for lib in libdpdk libbpf libxdp libunbound libcap-ng libssl; do
        pkg-config --modversion $lib 2>/dev/null || echo "no $lib"
    done
    echo "$recipe $targets"
} | sha256sum | cut -c1-12)
place=$cache/ovs-$version-$key${sanitize:+-$(echo "$sanitize" | tr , -)}

if [ $print_dir = yes ]; then
    echo "$place"
    exit 0
fi
[ ! -f "$place/complete" ] || exit 0

# One builder at a time: whoever waits finds the work done.
mkdir -p "$cache"
exec 9>"$place.lock"
if ! flock -n 9; then
    echo "build-ovs: another build of $place is running; waiting for it"
    flock 9
fi
[ ! -f "$place/complete" ] || exit 0
rm -rf "$place"
mkdir -p "$place/build"
log=$place/log

child=
stop() {
    [ -z "$child" ] || kill "$child" 2>/dev/null || :
    rm -rf "$place"
    exit 130
}
trap stop INT TERM HUP

failed() {
    echo "build-ovs: $1 failed; the end of $log:" >&2
    tail -n "${2:-15}" "$log" >&2
    exit 1
}

# Prints how far the build in the background is, until it ends.
follow() {
    what=$1
    total=$2
    start=$(date +%s)
    n_last=-1
    while kill -0 "$child" 2>/dev/null; do
        n=$(find "$place/build" -name '*.o' | wc -l)
        if [ "$total" = 0 ]; then
            echo "build-ovs: $what, $(($(date +%s) - start)) s"
        elif [ "$n" != "$n_last" ]; then
            echo "build-ovs: $what, $n of $total objects," \
                 "$(($(date +%s) - start)) s"
        fi
        n_last=$n
        sleep 5 9>&-
    done
    wait "$child"
}

echo "build-ovs: Open vSwitch $version is built once into $place"
if [ -f "$source" ]; then
    mkdir "$place/src"
    tar xzf "$source" -C "$place/src" --strip-components=1
else
    cp -a "$source" "$place/src"
fi

cd "$place/build"
# shellcheck disable=SC2086 # options and targets are lists of words
../src/configure $options CC="$cc" CFLAGS="$cflags" \
    ${sanitize:+LDFLAGS=-fsanitize=$sanitize} >"$log" 2>&1 9>&- &
child=$!
follow configure 0 || failed configure 30

# The generated headers come first: everything includes them.
# shellcheck disable=SC2016 # make expands it
printf 'include Makefile\nbvs-built-sources: $(BUILT_SOURCES)\n' >bvs.mk
make -f bvs.mk -j"$jobs" bvs-built-sources >>"$log" 2>&1 9>&- &
child=$!
follow 'generated sources' 0 || failed 'making generated sources'

# shellcheck disable=SC2086
total=$(make -n $targets 2>/dev/null | grep -c -- ' -c -o ' || :)
# shellcheck disable=SC2086
make -k -j"$jobs" $targets >>"$log" 2>&1 9>&- &
child=$!
follow compiling "$total" || failed compiling 40
child=

# bridge.o and the archives carry all that is linked.
for file in lib/.libs/libopenvswitch.a ofproto/.libs/libofproto.a \
            ovsdb/.libs/libovsdb.a vswitchd/bridge.o config.h; do
    [ -e "$place/build/$file" ] || failed "making $file"
done
date >"$place/complete"
echo "build-ovs: done, $(du -sh "$place" | cut -f1) in $place"
