#!/bin/sh
# SPDX-License-Identifier: Apache-2.0
# timeout: 180
#
# The demo: succeeds on a switch that works, fails on one that does not
# forward, and leaves nothing behind when it is interrupted.

# shellcheck source=tests/system/lib.sh
. "$(dirname "$0")/lib.sh"
need is_root "the demo makes network namespaces"

demo() {
    BUILD=$1 sh "$TOP/tests/demo/run.sh"
}

# The demo keeps its files, and so its processes', below here.
export TMPDIR="$dir/demo"
mkdir "$TMPDIR"

# Namespaces, files and processes of the demo.
left_behind() {
    ip netns list | grep -E '^bvs-[0-9]+-h[12]( |$)'
    ls "$TMPDIR"
    pgrep -f "$TMPDIR/"
}

nothing_left() {
    [ -z "$(left_behind)" ]
}

check "demo" demo "$BUILD"
check "demo leaves nothing behind" wait_until 5 nothing_left

# A switch whose forwarding is held, as it stays when that was so at the
# start: everything else about it works.
mkdir -p "$dir/broken/bin"
for program in "$BUILD"/bin/*; do
    ln -s "$program" "$dir/broken/bin/"
done
rm "$dir/broken/bin/bvs-vswitchd"
cat >"$dir/broken/bin/bvs-vswitchd" <<END
#!/bin/sh
"$BUILD/bin/bvs-vswitchd" "\$@" &&
    "$BUILD/bin/bvs-vsctl" --no-wait set Open_vSwitch . \
        other_config:flow-restore-wait=true &&
    "$BUILD/bin/bvs-appctl" exit --cleanup || exit 1
while [ -e "\$OVS_RUNDIR/ovs-vswitchd.pid" ]; do
    sleep 0.01
done
exec "$BUILD/bin/bvs-vswitchd" "\$@"
END
chmod +x "$dir/broken/bin/bvs-vswitchd"
refuses "demo fails on a switch that does not forward" "FAILED: " \
    demo "$dir/broken"
check "failed demo leaves nothing behind" wait_until 5 nothing_left

# Interrupted when the switch runs.  Its own process group, as a terminal
# has it; the shell gives background jobs one with job control.
printf '%s\n' "import os, signal, subprocess, sys" \
    "p = subprocess.Popen(['sh', '$TOP/tests/demo/run.sh'], text=True," \
    "    stdout=subprocess.PIPE, start_new_session=True)" \
    "for line in p.stdout:" \
    "    if 'pings came back' in line:" \
    "        os.killpg(p.pid, signal.SIGINT)" \
    "        break" \
    "p.stdout.read()" \
    "sys.exit(p.wait() != 130)" >"$dir/interrupt.py"
check "demo ends when interrupted" \
    env BUILD="$BUILD" /usr/bin/python3 "$dir/interrupt.py"
check "interrupted demo leaves nothing behind" wait_until 5 nothing_left

finish
