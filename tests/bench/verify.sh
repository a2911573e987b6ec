#!/bin/sh
# SPDX-License-Identifier: Apache-2.0
#
# How long the verifier takes for real XDP programs, and Linux's for the same
# objects: rounds by turns, the least of each.  The corpus at -O2 and all of
# xdp-tools; rows are the slowest against Linux, and the sums.

set -eu

rounds=5
[ -z "${BENCH_QUICK-}" ] || rounds=1
"$TOP/tests/corpus/run" --list "$TMPDIR/all" >/dev/null
grep -E -e '-O2 |^xdp-' "$TMPDIR/all" >"$TMPDIR/list"
if ! "$BUILD/tests/corpus/corpus" time "$TMPDIR/list" $rounds \
        >"$TMPDIR/table" 2>"$TMPDIR/why"; then
    tail -n 1 "$TMPDIR/why"
    exit 77
fi
echo "# programs: $(grep -c '^[a-z].*[0-9]$' "$TMPDIR/table")"
grep -v '^program\|programs: ' "$TMPDIR/table" | tail -n 5 \
    | awk '{ printf "%s\t%s us\t%s us\t%s\t<=1\t-\n", $1, $5, $4, $6 }'
awk '/ programs: / {
    for (i = 1; i < NF; i++) {
        if ($i == "linux" && $(i + 2) ~ /^ms/) { peer = $(i + 1) }
        if ($i == "ours") { ours = $(i + 1) }
    }
    printf "all together\t%s ms\t%s ms\t%.3f\t<=1\t-\n", ours, peer, ours / peer
}' "$TMPDIR/table"
