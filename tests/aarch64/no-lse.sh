#!/bin/sh
# SPDX-License-Identifier: Apache-2.0
#
# Random programs, and each instruction with all its registers, on a machine
# without Armv8.1's atomic instructions.

export BVS_TEST_PROGRAMS=2000
failed=0
for test in test-jit test-jit-ops; do
    qemu-aarch64 -cpu cortex-a53 "$BUILD/tests/unit/$test" || failed=1
done
exit $failed
