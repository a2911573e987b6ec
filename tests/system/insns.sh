#!/bin/sh
# SPDX-License-Identifier: Apache-2.0
# timeout: 400
#
# A packet costs no more instructions than it did (tests/bench/insns.tsv).
#
# shellcheck disable=SC2317 # functions are called through check

# shellcheck source=tests/system/lib.sh
. "$(dirname "$0")/lib.sh"

# A sanitizer's instructions are not counted; that the tables are read is
# shown by the plain build.
if nm "$BUILD/bin/bvs-replay" | grep -q __asan_init; then
    pass 'insns: a sanitized build is not counted'
    finish
fi

export TMPDIR="$dir/insns"
mkdir "$TMPDIR"

# What is printed: name, now, before, ratio, gate.
"$TOP/tests/bench/insns.py" >"$dir/rows" 2>"$dir/err" || {
    fail insns "$(cat "$dir/err")"
    finish
}
while IFS='	' read -r name now before ratio _; do
    if awk "BEGIN { exit !($ratio <= 1.02) }"; then
        pass "insns: $name"
    else
        fail "insns: $name" "$now a packet, it was $before: tests/bench/insns.py"
    fi
done <"$dir/rows"
finish
