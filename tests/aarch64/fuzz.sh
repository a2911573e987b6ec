#!/bin/sh
# SPDX-License-Identifier: Apache-2.0
# timeout: 300
#
# A slice of what the fuzzer does, on AArch64: the same programs each time.
# First all of it, then what this machine's fuzzer tells (tests/fuzz/wire.h).

failed=0
if qemu-aarch64 "$BUILD/tests/fuzz/fuzz" --count=400; then
    echo "ok random programs on every engine"
else
    echo "not ok random programs - see above; --seed=N --count=1 repeats one"
    failed=1
fi
if "$TOP/build/tests/fuzz/fuzz" --tell --count=4000 \
    | qemu-aarch64 "$BUILD/tests/fuzz/fuzz" --hear; then
    echo "ok random programs do what they do elsewhere"
else
    echo "not ok told programs - see above"
    failed=1
fi
exit $failed
