#!/bin/sh
# SPDX-License-Identifier: Apache-2.0
#
# The runner of benchmarks, and that the groups in C work.  No time is looked
# at.

set -u
# shellcheck source=tests/system/lib.sh
. "$(dirname "$0")/lib.sh"

mkdir "$dir/groups"

# group NAME LINE...: a group that prints these lines.
group() {
    name=$1
    shift
    {
        echo '#!/bin/sh'
        printf "printf '%%b\\\\n' '%s'\n" "$@"
    } >"$dir/groups/$name.sh"
    chmod +x "$dir/groups/$name.sh"
}

bench() {
    "$TOP/tests/bench/run" --build="$dir/none" --scripts="$dir/groups" \
        --docs="$dir/performance.md" "$@"
}

says() {
    text=$1
    shift
    "$@" >"$dir/out" 2>&1 && grep -q -F -e "$text" "$dir/out"
}

group fast '# peer: theirs 1.2' 'row one\t10 ns\t20 ns\t0.50\t<=1.5\t3%' \
    'row two\t4 Mpps\t-\t-\t-\t-'
group slow 'row\t10 Mpps\t20 Mpps\t0.50\t>=1.5\t3%'
group broken 'row\t10 ns\t20 ns'
group absent 'there is no peer here'
echo 'exit 77' >>"$dir/groups/absent.sh"

check bench-table says '| row one |  10 ns | 20 ns |       0.50 | <=1.5 |' \
    bench fast
check bench-facts says 'peer: theirs 1.2' bench fast
check bench-seed says 'seed: 7;' bench --seed=7 fast
check bench-cannot says 'not run: there is no peer here' bench absent
refuses bench-gate 'row: ratio 0.50 misses >=1.5' bench fast slow
refuses bench-broken 'not a row' bench broken
refuses bench-unknown 'no group none; there are absent broken fast slow' \
    bench none

docs() {
    printf '# Performance\n\nBefore.\n\n%s\nold\n%s\n\nAfter.\n' \
        '<!-- bench fast: begin -->' '<!-- bench fast: end -->' \
        >"$dir/performance.md"
    bench fast && grep -q '^old$' "$dir/performance.md" &&
        bench --update fast && ! grep -q '^old$' "$dir/performance.md" &&
        grep -q '^| row one |' "$dir/performance.md" &&
        [ "$(sed -n '3p;$p' "$dir/performance.md")" = 'Before.
After.' ]
}
check bench-update docs
new_docs() {
    rm -f "$dir/performance.md"
    bench --update fast && bench --update fast &&
        [ "$(grep -c 'bench fast: begin' "$dir/performance.md")" = 1 ]
}
check bench-update-new new_docs

for program in "$BUILD"/tests/bench/*; do
    # What makes workloads: bench-gen.sh.
    [ "${program##*/}" = gen ] && continue
    check "bench-group-${program##*/}" env ASAN_OPTIONS=detect_leaks=0 \
        "$TOP/tests/bench/run" --build="$BUILD" --scripts="$dir/none" \
        --quick "${program##*/}"
done
finish
