/* SPDX-License-Identifier: Apache-2.0 */
#ifndef TESTS_FUZZ_TARGETS_TARGET_H
#define TESTS_FUZZ_TARGETS_TARGET_H 1

/* A target of libFuzzer: what parses untrusted bytes.
 *
 * What: each file beside this one is a program of its own; with clang's
 * -fsanitize=fuzzer it looks for new inputs (`make fuzz T=name'), with
 * replay/main.c it runs those of tests/fuzz/corpus/NAME (make check).  It
 * aborts when something is wrong, and returns 0. */

#include <stddef.h>
#include <stdint.h>

int LLVMFuzzerTestOneInput(const uint8_t *data, size_t size);

#endif /* tests/fuzz/targets/target.h */
