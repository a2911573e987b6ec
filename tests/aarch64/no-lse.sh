#!/bin/sh
# SPDX-License-Identifier: Apache-2.0
#
# The JIT's tests on a machine without Armv8.1's atomic instructions.

failed=0
for test in "$BUILD"/tests/unit/test-jit*; do
    qemu-aarch64 -cpu cortex-a53 "$test" || failed=1
done
exit $failed
