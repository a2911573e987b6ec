#!/bin/sh
# SPDX-License-Identifier: Apache-2.0
#
# The tools around the code: configure, install, the test runner, the lint.
# Needs neither root nor the daemon.

set -u
: "${TOP:=$(cd "$(dirname "$0")/../.." && pwd)}"
: "${BUILD:=$TOP/build}"
tmp=$(mktemp -d)
trap 'rm -rf "$tmp"' EXIT
trap 'exit 1' TERM INT
status=0

# check NAME COMMAND...
check() {
    name=$1
    shift
    if "$@" >"$tmp/out" 2>&1; then
        echo "ok $name"
    else
        echo "not ok $name - $*: $(tail -n 1 "$tmp/out")"
        status=1
    fi
}

# fails WITH COMMAND...: it must fail, and say so in these words.
fails() {
    with=$1
    shift
    "$@" >"$tmp/fails" 2>&1 && return 1
    grep -q -e "$with" "$tmp/fails" || {
        tail -n 1 "$tmp/fails"
        return 1
    }
}

# says WITH COMMAND...: it must succeed with these words.
says() {
    with=$1
    shift
    "$@" >"$tmp/says" 2>&1 && grep -q -e "$with" "$tmp/says"
}

# configure.
cd "$TOP" || exit 1
check configure-help says with-ovs-source ./configure --help
check configure-unknown fails 'unknown option --foo' ./configure --foo
check configure-prefix fails 'start with a slash' ./configure --prefix=usr
check configure-source fails 'does not exist' \
    ./configure --build=build-"$$" --with-ovs-source=/nowhere
check configure-sanitize fails 'does not make programs' \
    ./configure --build=build-"$$" --sanitize=nonsense
check configure-cc fails 'C compiler nocc not found' \
    ./configure --build=build-"$$" CC=nocc
rm -rf build-"$$"

# build-ovs.sh.
check ovs-source fails 'neither a tarball nor a directory' \
    sh utilities/build-ovs.sh --print-dir --source=/nowhere
one=$(sh utilities/build-ovs.sh --print-dir)
two=$(sh utilities/build-ovs.sh --print-dir --sanitize=thread)
check ovs-key [ "$one" != "$two" ]

# install and uninstall.
in_build() {
    make -s BUILD="$(basename "$BUILD")" "$@"
}
installed() {
    in_build install DESTDIR="$tmp/root" PREFIX=/opt/x || return 1
    [ "$(find "$tmp/root" -type f -name 'bvs-*' -perm -111 | wc -l)" \
      = "$(find "$BUILD/bin" -type f | wc -l)" ] || return 1
    grep -q /opt/x/sbin/ \
        "$tmp/root/opt/x/lib/systemd/system/bvs-vswitchd.service"
}
uninstalled() {
    in_build uninstall DESTDIR="$tmp/root" PREFIX=/opt/x >/dev/null \
        && [ -z "$(find "$tmp/root" -type f)" ]
}
if [ "$(dirname "$BUILD")" = "$TOP" ]; then
    check install installed
    check uninstall uninstalled
fi

# The runner: what fails must fail.
mkdir -p "$tmp/r/tests/system"
cp "$TOP/tests/run" "$tmp/r/tests/run"
script() {
    { printf '#!/bin/sh\n'; cat; } >"$tmp/r/tests/system/$1.sh"
    chmod +x "$tmp/r/tests/system/$1.sh"
}
runner() {
    env -u BVS_TEST -u BVS_RUN "$tmp/r/tests/run" \
        --build="$tmp/r/build" "$@"
}
script good <<'E2'
echo 'ok one'; echo 'skip two - reasons'
E2
check runner-sums says '^1 passed, 0 failed, 1 skipped$' runner good
check runner-skip fails 'skip counts' runner --fail-on-skip good
script bad <<'E2'
echo 'ok one'; echo 'not ok two - reasons'
E2
check runner-fails fails '^1 passed, 1 failed, 0 skipped$' runner bad
script silent </dev/null
check runner-silent fails 'reported no test' runner silent
script status <<'E2'
echo 'ok one'; exit 3
E2
check runner-status fails 'exit status 3' runner status
script hangs <<'E2'
# timeout: 1
echo 'ok one'; sleep 60
E2
check runner-timeout fails 'no end after 1 s' runner hangs
script leaves <<'E2'
echo 'ok one'; sleep 60 &
E2
check runner-leaves fails 'left processes behind: sleep' runner leaves
check runner-nothing fails '^0 passed' runner nosuchjob

# The lint: one bad line a check, in a tree of its own.
mkdir -p "$tmp/l/tests" "$tmp/l/vm" "$tmp/l/build"
cp -r "$TOP/tests/lint" "$tmp/l/tests/"
for table in exceptions packet-path; do
    : >"$tmp/l/tests/lint/$table"
done
cp "$BUILD/config.mk" "$tmp/l/build/"
finds() {
    check_name=$1
    with=$2
    cat >"$tmp/l/vm/bad.c"
    check "lint-$check_name" fails "vm/bad.c.*$with" \
        "$tmp/l/tests/lint/run" "$check_name"
}
finds law-includes 'may not include util.h' <<'E2'
#include "util.h"
E2
finds functions 'f has 6 parameters' <<'E2'
int
f(int a, int b, int c, int d, int e, int f)
{
}
E2
{
    printf 'int\nf(void)\n{\n'
    yes '    f();' | head -n 80
    printf '}\n'
} >"$tmp/long"
finds functions 'f has 83 lines' <"$tmp/long"
printf 'int a;\t/* */\n' >"$tmp/tab"
finds lines 'a tab' <"$tmp/tab"
finds forbidden 'strcpy() has no bound' <<'E2'
int
f(char *a)
{
    strcpy(a, "strcat()");
}
E2
printf 'vm/bad.c\n' >"$tmp/l/tests/lint/packet-path"
finds packet-path 'malloc() in the packet path' <<'E2'
int
f(char *a)
{
    a = malloc(3);
}
E2
# Not spelled here, so that this file passes.
printf '/* %s */\n' "FIX""ME" >"$tmp/word"
finds left-over 'left over' <"$tmp/word"
finds licence 'is missing' <<'E2'
int a;
E2
finds comments 'a // comment' <<'E2'
int a; // a
E2

exit $status
