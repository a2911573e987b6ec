/* SPDX-License-Identifier: Apache-2.0 */

/* The helpers of generated programs, as a set (rows of helpers.def), and
 * their C functions.
 *
 * A helper runs on the worker that runs the program; its first argument but
 * for FRAG_LOOKUP's is the context. */

#ifndef DATAPATH_BRIDGE_TYPE_H
#define DATAPATH_BRIDGE_TYPE_H 1

#include "vm/helper.h"

#define DP_HELPER(NAME, ID, FN, RET, ARG1, ARG2, ARG3, ARG4, ARG5)      \
    vm_helper_fn FN;
#include "datapath/helpers.def"
#undef DP_HELPER

extern const struct vm_helper_set dp_helpers;

#endif /* datapath/bridge-type.h */
