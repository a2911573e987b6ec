#!/bin/sh
# SPDX-License-Identifier: Apache-2.0
# timeout: 120
#
# bvs-replay: what it says of differences and of bad input, the manual's
# examples, and that it needs no privileges and leaves nothing behind.
#
# shellcheck disable=SC2317 # functions are called through check

# shellcheck source=tests/system/lib.sh
. "$(dirname "$0")/lib.sh"

cases=$TOP/tests/replay
export TMPDIR="$dir/tmp"
mkdir "$TMPDIR"
cd "$dir" || exit 1
cp "$cases/drop/in.1.pcap" in.pcap
cp "$cases/drop/expect.2.pcap" good.pcap

# trouble NAME TEXT ARG...: status 2, and one line, which has TEXT.
trouble() {
    trouble_name=$1
    trouble_text=$2
    shift 2
    bvs-replay "$@" >out 2>err
    trouble_status=$?
    if [ $trouble_status != 2 ]; then
        fail "$trouble_name" "status $trouble_status: $(cat out err)"
    elif [ "$(wc -l <err)" != 1 ] || ! grep -qF -- "$trouble_text" err; then
        fail "$trouble_name" "says: $(cat err)"
    else
        pass "$trouble_name"
    fi
}

echo "actions=output:2" >flows.txt
printf 'actions=drop\n\n# comment\nudp actions=drop\n\n\n%s\narp actions=drop\n' \
    'tcp,tp_dst=eighty actions=drop' >line7.txt
printf '\n\npriority=1,ip actions=ct(commit),output:2\n' >line3.txt

trouble flow-error-line "line7.txt:7: " --flows line7.txt --in 1=in.pcap
trouble flow-refused-line "line3.txt:3: the switch refuses" \
    --flows line3.txt --in 1=in.pcap
printf 'actions=\000drop\n' >nul.txt
trouble flow-nul "nul.txt:1: " --flows nul.txt --in 1=in.pcap
trouble flow-file-missing "none.txt: cannot be opened" \
    --flows none.txt --in 1=in.pcap
trouble flow-directory "a directory" --flows . --in 1=in.pcap
trouble no-flows "--flows" --in 1=in.pcap
trouble no-packets "--in" --flows flows.txt
trouble pcap-missing "none.pcap: cannot be opened" \
    --flows flows.txt --in 1=none.pcap
trouble pcap-text "flows.txt: not a pcap file" \
    --flows flows.txt --in 1=flows.txt
: >empty.pcap
trouble pcap-empty "empty.pcap: not a pcap file" \
    --flows flows.txt --in 1=empty.pcap
# The same file with another link type, that of IP without Ethernet.
{ head -c 20 in.pcap; printf '\145\0\0\0'; tail -c +25 in.pcap; } >raw.pcap
trouble pcap-link-type "link type" --flows flows.txt --in 1=raw.pcap
trouble port-zero "--in 0=in.pcap: expected PORT=FILE" \
    --flows flows.txt --in 0=in.pcap
trouble port-twice "this port has already the file" \
    --flows flows.txt --in 1=in.pcap --in 1=good.pcap
trouble groups "x: cannot be opened" --flows flows.txt --groups x \
    --in 1=in.pcap
echo "group_id=1,type=some,bucket=output:1" >groups.txt
trouble groups-syntax "groups.txt:1: invalid group type some" \
    --flows flows.txt --groups groups.txt --in 1=in.pcap
printf '%s\n' "# a comment" "group_id=1,type=all,bucket=actions=ct(commit)" \
    >groups.txt
trouble groups-refused "groups.txt:2: the switch refuses this" \
    --flows flows.txt --groups groups.txt --in 1=in.pcap
trouble meters "x: cannot be opened" --flows flows.txt --meters x \
    --in 1=in.pcap
echo "meter=1,pktps" >meters.txt
trouble meters-syntax "meters.txt:1: must specify bands" --flows flows.txt \
    --meters meters.txt --in 1=in.pcap
trouble argument "unexpected argument" --flows flows.txt --in 1=in.pcap more
trouble table-miss "expected TABLE:MODE" --flows flows.txt --in 1=in.pcap \
    --table-miss=0:perhaps
echo "set port p1 tag=5000" >range.txt
trouble config-value "range.txt:1" --flows flows.txt --in 1=in.pcap \
    --config range.txt
echo "del-port p1" >gone.txt
trouble config-port-gone "has removed port p1" --flows flows.txt \
    --in 1=in.pcap --config gone.txt
trouble out-unwritable "cannot be written" --flows flows.txt --in 1=in.pcap \
    --out 2=none/out.pcap

# A pcap that is cut, at every length: a sentence, or the packets before the
# cut when it falls between two.
size=$(wc -c <in.pcap)
cut_ok=0
for length in $(seq 0 7 "$size"); do
    head -c "$length" in.pcap >cut.pcap
    bvs-replay --flows flows.txt --in 1=cut.pcap >out 2>err
    cut_status=$?
    if [ $cut_status != 0 ] &&
        { [ $cut_status != 2 ] || ! grep -q 'cut.pcap: ' err; }; then
        fail cut-pcap "at $length bytes: status $cut_status, $(cat out err)"
        cut_ok=1
    fi
done
[ $cut_ok = 0 ] && pass cut-pcap

# Differences.
bvs-replay --flows flows.txt --in 1=in.pcap --out 2=out.pcap \
    --expect 2=in.pcap >out 2>err
check same [ $? = 0 ]
# But for the file's header, which says how long packets may be.
check out-is-the-input cmp -i 24 out.pcap in.pcap
gzip -c in.pcap >in.pcap.gz
bvs-replay --flows flows.txt --in 1=in.pcap.gz --out 2=out.pcapng \
    --expect 2=in.pcap >out 2>err
check compressed [ $? = 0 ]
check pcapng-out [ "$(head -c 4 out.pcapng | od -An -tx1)" = " 0a 0d 0d 0a" ]
bvs-replay --flows flows.txt --in 1=out.pcapng --out 2=again.pcap \
    --expect 2=in.pcap >out 2>err
check pcapng-in cmp -i 24 again.pcap in.pcap
bvs-replay --flows flows.txt --in 1=in.pcap --expect 2=good.pcap >out 2>err
check differs-status [ $? = 1 ]
check differs-packet grep -q '^port 2: packet 1 is not packet 1 of good' out
check differs-field grep -q '^  nw_proto: expected 6, got 17$' out
check differs-bytes grep -q '^  got      0010: 00 20' out
check differs-number grep -q '^port 2: sent 3 packets, 1 expected' out
echo "actions=drop" >none.txt
bvs-replay --flows none.txt --in 1=in.pcap --expect 2=good.pcap >out 2>err
check missing-status [ $? = 1 ]
check missing-packet grep -q '^port 2: packet 1 of good.pcap is missing' out

# The manual's examples.
mandoc_examples() {
    sed -n '/^\.EX$/,/^\.EE$/{/^\.E/!p}' \
        "$TOP/utilities/man/bvs-replay.1" | sed 's/\\-/-/g; s/\\\\$/\\/'
}
mandoc_examples >examples.sh
examples_work() {
    ln -sf "$TOP/tests" tests
    sh -e examples.sh && [ "$(grep -c '^bvs-replay' examples.sh)" -ge 3 ]
}
check manual-examples examples_work

# It needs nothing but its files.
powerless() {
    setpriv --inh-caps=-all --bounding-set=-all \
        env -i PATH="$PATH" TMPDIR="$TMPDIR" "$@"
}
check powerless powerless bvs-replay --flows flows.txt --in 1=in.pcap
# Two at a time do not meet.
two_at_once() {
    bvs-replay --flows flows.txt --in 1=in.pcap >one &
    bvs-replay --flows flows.txt --in 1=in.pcap >two && wait $! &&
        cmp one two
}
check two-at-once two_at_once
check nothing-left prints "" ls -A "$TMPDIR"
finish
