#!/bin/sh
# SPDX-License-Identifier: Apache-2.0
# shellcheck disable=SC2317 # functions are called through check
# timeout: 240
#
# Documents do what they say: each command of docs/tutorial.md, in order, and
# those of docs/no-traffic.md that look at a bridge.

if [ -z "${BVS_INSIDE:-}" ] && [ "$(id -u)" = 0 ]; then
    BVS_INSIDE=1 exec unshare --net --mount "$0"
fi

# shellcheck source=tests/system/lib.sh
. "$(dirname "$0")/lib.sh"
need is_root "needs root, for network namespaces"
need 'osken-manager --version' 'there is no os_ken'
need 'curl --version' 'there is no curl'
need 'tshark --version' 'there is no tshark'

# Network namespaces have names of their own here.
mkdir -p /run/netns
mount -t tmpfs tmpfs /run/netns

# The indented lines of a document, with the programs of this build.
commands() {
    sed -n 's/^    //p' "$TOP/docs/$1" | sed "s|\$PWD/build|$BUILD|"
}

## The tutorial, up to its last step, between which no-traffic.md is tried.

commands tutorial.md >"$dir/all"
sed '/^kill \$(jobs/,$d' "$dir/all" >"$dir/first"
sed -n '/^kill \$(jobs/,$p' "$dir/all" >"$dir/last"
if [ ! -s "$dir/first" ] || [ ! -s "$dir/last" ]; then
    fail 'the tutorial' 'no commands'
fi

commands no-traffic.md | sed 's/^bvs-appctl capture/timeout 20 &/
s/trace\/live br0 tcp,tp_dst=80/trace\/live br0 icmp/
s/--dropped -w -/--dropped --seconds 1 -w -/' >"$dir/ask"
cat >"$dir/script" <<END
set -e
trap 'kill \$(jobs -p) 2>/dev/null; bvs-appctl -T 5 exit --cleanup; exit 1' \
    EXIT TERM
cd "$TOP"
. "$dir/first"
echo "tutorial-ran"
ip netns exec tut1 ping -q -c 100 -i 0.1 10.0.0.2 >/dev/null &
. "$dir/ask"
echo "no-traffic-ran"
. "$dir/last"
trap - EXIT TERM
echo "all-ran"
END
TMPDIR="$dir" timeout 200 bash -x "$dir/script" >"$dir/out" 2>"$dir/trace"
if ! grep -q all-ran "$dir/out"; then
    tail -n 30 "$dir/trace" "$dir/out" >&2
fi

has() {
    grep -q -- "$1" "$dir/out"
}
check 'the tutorial runs' has '^tutorial-ran$'
check 'no-traffic.md runs' has '^no-traffic-ran$'
check 'all ends' has '^all-ran$'
# What they promise.
check 'pings came back' has '3 received'
check 'the controller made flows' has 'cookie=0xbee.*tp_dst=8000 actions=drop'
check 'its rule dropped' has 'as it should be: no answer'
check 'the trace names the rule' has \
    'Verdict: dropped in table 0, action: .*cookie 0xbee'
check 'the policy holds' has 'all as expected\|passed\|ok'
check 'the program is shown' has ' exit$'
check 'a rule takes cycles' has '% .*table 0'
finish
