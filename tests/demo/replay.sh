#!/bin/sh
# SPDX-License-Identifier: Apache-2.0
#
# `make demo-replay': a policy tested over a capture; no root, no daemon, no
# device.  tests/demo/policy/ is the example to copy into one's own CI.

set -eu

TOP=${TOP:-$(cd "$(dirname "$0")/../.." && pwd)}
BUILD=${BUILD:-$TOP/build}
PATH=$BUILD/bin:$PATH
export PATH
dir=$(mktemp -d)
trap 'rm -rf "$dir"' EXIT
trap 'exit 130' INT TERM HUP

cd "$TOP/tests/demo/policy"
echo "The policy (tests/demo/policy/flows.txt):"
sed 's/^/    /' flows.txt

if ! sh check.sh >"$dir/good" 2>&1; then
    cat "$dir/good"
    echo "FAILED: the policy does not do what the captures expect" >&2
    exit 1
fi
echo "A real fetch of a page, replayed, comes out as it should:"
sed 's/^/    /' "$dir/good"

# The same with a hole in the policy must be noticed.
sed 's/actions=drop/actions=NORMAL/' flows.txt >"$dir/flows.txt"
if FLOWS=$dir/flows.txt sh check.sh >"$dir/bad" 2>&1; then
    echo "FAILED: a policy with a hole passes" >&2
    exit 1
fi
grep -q 'packet' "$dir/bad" || {
    cat "$dir/bad"
    echo "FAILED: no packet is named" >&2
    exit 1
}
echo "With a hole in the policy, the first packet that slips through:"
head -n 12 "$dir/bad" | sed 's/^/    /'
