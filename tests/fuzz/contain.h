/* SPDX-License-Identifier: Apache-2.0 */
#ifndef TESTS_FUZZ_CONTAIN_H
#define TESTS_FUZZ_CONTAIN_H 1

/* Whether a moment of a run is inside an abstract state. */

#include <stdbool.h>
#include <stddef.h>

#include "tests/fuzz/traced.h"
#include "vm/verifier/state.h"

/* A state, as it was when the verifier walked on from it. */
struct record {
    struct record *next;        /* Of the same instruction: a ring. */
    uint32_t n_frames, n_refs;
    struct {
        struct vframe frame;
        struct vlive live;
    } frames[];
};

/* False, with the reason in 'why' (may be null), if not. */
bool contains(const struct record *, const struct moment *, char *why,
              size_t size);

#endif /* tests/fuzz/contain.h */
