#!/bin/sh
# SPDX-License-Identifier: Apache-2.0
# timeout: 300
#
# A slice of what the fuzzer does, on AArch64: the same programs each time.

if qemu-aarch64 "$BUILD/tests/fuzz/fuzz" --count=400; then
    echo "ok random programs on every engine"
else
    echo "not ok random programs - see above; --seed=N --count=1 repeats one"
    exit 1
fi
