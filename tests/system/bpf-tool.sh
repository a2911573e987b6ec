#!/bin/sh
# SPDX-License-Identifier: Apache-2.0
#
# bvs-bpf's commands, on assembly, on an object and on a capture.

cd "$TOP" || exit 1
elf=tests/data/vm/elf/switch.o
capture=tests/replay/captures/http.1.pcap
failed=0

# check NAME STATUS PATTERN COMMAND...: the command exits with STATUS, and its
# output has PATTERN.
check() {
    name=$1 status=$2 pattern=$3
    shift 3
    "$@" >"$TMPDIR/out" 2>&1
    got=$?
    if [ $got -ne "$status" ]; then
        echo "not ok bpf $name - exit status $got: $(head -1 "$TMPDIR/out")"
        failed=1
    elif ! grep -q -e "$pattern" "$TMPDIR/out"; then
        echo "not ok bpf $name - no '$pattern': $(head -1 "$TMPDIR/out")"
        failed=1
    else
        echo "ok bpf $name"
    fi
}

plugin() {
    echo "$1" | bvs-bpf plugin "$2" "$3"
}

cat >"$TMPDIR/drop-long.s" <<'END'
; Drops what has more than 100 bytes.
    r2 = *(u32 *)(r1 + 0)
    r3 = *(u32 *)(r1 + 4)
    r2 += 100
    r0 = 2
    if r3 <= r2 goto out
    r0 = 1
out:
    exit
END
printf 'r0 = *(u8 *)(r1 + 99)\nexit\n' >"$TMPDIR/bad.s"
printf 'r0 = 0\nr0 +\nexit\n' >"$TMPDIR/wrong.s"
head -c 3000 $elf >"$TMPDIR/cut.o"

check load 0 '^head: 68 instructions$' bvs-bpf load $elf
check verify 0 '^head: 68 instructions, verified in' bvs-bpf verify $elf
check verify-json 0 '"program": "head", "accepted": true' \
    bvs-bpf verify $elf --json
check verify-rejects 1 '^main: rejected: insn 0' \
    bvs-bpf verify "$TMPDIR/bad.s"
check maps 0 '^outer: array_of_maps, key 4, value 4, 3 entries' \
    bvs-bpf maps $elf
check disasm 0 'call tail_call' bvs-bpf disasm $elf --prog=head
check disasm-native 0 '^ *[0-9]*: call tail_call  *|  *[0-9a-f]*  cmp r12d, 0x21' \
    bvs-bpf disasm $elf --prog=head --native --arch=x86-64
check disasm-aarch64 0 '^ *[0-9]*: exit  *|  *[0-9a-f]*  ' \
    bvs-bpf disasm $elf --prog=head --native --arch=aarch64
check disasm-rejects 1 'bad.s: insn 0' \
    bvs-bpf disasm "$TMPDIR/bad.s" --native
check disasm-machine 1 'arch=vax: expected x86-64 or aarch64' \
    bvs-bpf disasm $elf --native --arch=vax
check asm 0 '^61 12 00 00 00 00 00 00$' bvs-bpf asm "$TMPDIR/drop-long.s"
check asm-error 1 "wrong.s: line 2: expected" bvs-bpf asm "$TMPDIR/wrong.s"
check cut-object 1 'cut off' bvs-bpf load "$TMPDIR/cut.o"
check no-object 1 'No such file' bvs-bpf load "$TMPDIR/none.o"
check no-command 1 "there is no command 'fly'" bvs-bpf fly
check bench 0 '^interpret: ' \
    bvs-bpf bench "$TMPDIR/drop-long.s" --repeat=1000

# The verdicts are those of libpcap's filter, and out.pcap has what passed.
long=$(bvs-bpf filter 'greater 101' --pcap=$capture |
    sed -n 's/^accepted: //p')
short=$(bvs-bpf filter 'less 100' --pcap=$capture | sed -n 's/^accepted: //p')
for engine in checked interpret; do
    check "run-$engine" 0 "^drop: $long\$" bvs-bpf run \
        "$TMPDIR/drop-long.s" --engine=$engine --pcap=$capture \
        -o "$TMPDIR/out.pcap"
    check "run-$engine-passes" 0 "^packets: $short\$" \
        bvs-bpf filter 'len >= 0' --pcap="$TMPDIR/out.pcap"
    check "set-$engine" 0 '^r0: 1 (drop)' bvs-bpf run $elf --prog=head \
        --set=limit=0 --mem=0005 --engine=$engine
done
check filter 0 '^different from libpcap: 0$' \
    bvs-bpf filter 'tcp port 80' --pcap=$capture
check filter-text 0 'r0 = be16 r0' bvs-bpf filter 'tcp port 80'
check filter-error 1 'syntax error' bvs-bpf filter 'tcp prot 80'

# r0 = *(u8 *)(r1 + 1); exit
program='71 10 01 00 00 00 00 00  95 00 00 00 00 00 00 00'
for option in --checked --interpret --verify; do
    check "plugin$option" 0 '^bb$' plugin "$program" 'aa  bb  ' $option
done
check plugin-fault 1 'not inside any memory' plugin "$program" 'aa' --checked
# Rejections tell the line of source and the registers.
check verify-line 1 'wrong.c:35: return data\[2\]' \
    bvs-bpf verify tests/data/vm/elf/wrong.o
check verify-state 1 '^    r2 is a packet pointer, 2 bytes proved' \
    bvs-bpf verify tests/data/vm/elf/wrong.o --prog=in_the_program

# Wrong options are one sentence.
check option-of-other 1 '^bvs-bpf: asm has no option --pcap (see' \
    bvs-bpf asm --pcap=x "$TMPDIR/bad.s"
check option-number 1 '^bvs-bpf: --repeat=x: expected a number above 0$' \
    bvs-bpf bench --repeat=x "$TMPDIR/bad.s"
check option-engine 1 '^bvs-bpf: --engine=fast: expected checked, interpret' \
    bvs-bpf run --engine=fast "$TMPDIR/bad.s"
check option-set 1 'there is no variable none$' \
    bvs-bpf load $elf --set=none=1
check no-argument 1 '^bvs-bpf: load: expected FILE (see' bvs-bpf load
check arguments 1 '^bvs-bpf: load: expected only FILE (see' \
    bvs-bpf load $elf $elf
check no-program 1 'there is no program none$' \
    bvs-bpf verify $elf --prog=none

# What --json prints is JSON.
json() {
    bvs-bpf "$@" --json | /usr/bin/python3 -m json.tool
}
check json-load 0 '"insns": 68' json load $elf
check json-maps 0 '"kind": "array_of_maps"' json maps $elf
check json-native 0 '"machine": "aarch64"' \
    json disasm $elf --native --arch=aarch64
check json-disasm 0 '"program": "head"' json disasm $elf
check json-asm 0 '"insns": 7' json asm "$TMPDIR/drop-long.s"
check json-run 0 '"verdict": "pass"' json run "$TMPDIR/drop-long.s"
check json-pcap 0 '"drop": ' json run "$TMPDIR/drop-long.s" --pcap=$capture
check json-bench 0 '"engine": "interpret"' \
    json bench "$TMPDIR/drop-long.s" --repeat=1000
check json-filter 0 '"classic": \[' json filter 'tcp port 80'
check json-state 0 '"  r10 is a stack pointer at offset 0"' \
    json verify tests/data/vm/elf/wrong.o

# The man page's examples work.
cp $elf "$TMPDIR/xdp.o"
cp $capture "$TMPDIR/in.pcap"
sed -n 's/^\.Dl //p' utilities/man/bvs-bpf.8 | sed 's/\\e/\\/g' \
    >"$TMPDIR/examples"
n=0
while read -r line <&3; do
    n=$((n + 1))
    if (cd "$TMPDIR" && sh -c "$line") >"$TMPDIR/out" 2>&1; then
        echo "ok bpf example $n of the man page"
    else
        echo "not ok bpf example $n of the man page - $(cat "$TMPDIR/out")"
        failed=1
    fi
done 3<"$TMPDIR/examples"
if [ $n -lt 10 ]; then
    echo "not ok bpf examples - only $n"
    failed=1
fi
exit $failed
