/* SPDX-License-Identifier: Apache-2.0 */

/* The checked interpreter once more, with a hook before each instruction. */

#define vm_interp_checked fuzz_interp_traced
#define vm_interp_fast fuzz_interp_unused
#define VM_POISON 0xa7
#define VM_STEP()                                                             \
    do {                                                                      \
        struct moment m_;                                                     \
        m_.prog = prog;                                                       \
        m_.pc = op - prog->ops_checked;                                       \
        m_.regs = r;                                                          \
        m_.depth = depth;                                                     \
        m_.stack = stack;                                                     \
        m_.access = &access;                                                  \
        for (uint32_t i_ = 0; i_ < depth; i_++) {                             \
            m_.saved[i_] = frames[i_].saved;                                  \
            m_.progs[i_] = frames[i_].prog;                                   \
            m_.call_pcs[i_] = frames[i_].op - 1                               \
                              - frames[i_].prog->ops_checked;                 \
        }                                                                     \
        fuzz_moment(&m_);                                                     \
    } while (0)

#include "tests/fuzz/traced.h"

#include "vm/interp.c"
