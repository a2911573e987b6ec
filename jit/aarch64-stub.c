/* SPDX-License-Identifier: Apache-2.0 */

/* AArch64: the frame that generated programs share, and bursts.
 *
 *     callee-saved registers
 *     x30, x29        x29 points here
 *     BPF stack, VM_STACK_SIZE bytes        <- sp
 *
 * x23 is where programs return to, x24 the context before the current one in
 * the burst's ring, x25 the number of contexts that have not ended, x26 the
 * slot page of the current context.  Programs are "called" once a context and
 * end with a return; a goto is a jump, and a yield jumps to where the next
 * context goes on, so that no program has a prologue. */

#include "jit/aarch64-parts.h"

#include <errno.h>
#include <stddef.h>

enum { BACK = A64_SHARED_BACK, LAST = 24, LEFT = 25, PAGE = A64_SHARED_PAGE };

static const uint8_t saved[] = { A64_FP, 19, 21, 23, 25 };

#define N_SAVED ((int) sizeof saved)
#define CTX 0

static void
load(struct jit *j, int t, int base, int32_t off)
{
    a64_access(j, A64_LDR, 8, A64_DN(t, base), off);
}

static void
store(struct jit *j, int t, int base, int32_t off)
{
    a64_access(j, A64_STR, 8, A64_DN(t, base), off);
}

/* Where the members of a context's turn lie. */
static int32_t
turn_at(const struct vm_prog_type *type, size_t member)
{
    return type->turn_off + member;
}

#define TURN(MEMBER) turn_at(type, offsetof(struct vm_turn, MEMBER))

void
a64_shared_return(struct jit *j)
{
    a64_put(j, A64_RET_TO(BACK));
}

void
a64_shared_end(struct jit *j)
{
    a64_mov_imm(j, 0, (uint64_t) -ENOENT);
    a64_shared_return(j);
}

/* Slot w1 of the page is a program without native code, or was a moment
 * ago. */
static void
foreign(struct jit *j)
{
    size_t gone;

    load(j, A64_T0, PAGE, offsetof(struct vm_slots, prog));
    /* ldr x1, [t0, w1, uxtw #3] */
    a64_dnm(j, 0xf8605800, 1, A64_T0, 1);
    gone = a64_skip(j, A64_CBZ(true, 1));
    load(j, A64_T0, 1, offsetof(struct vm_prog, run));
    a64_blr(j, A64_T0);
    a64_shared_return(j);
    a64_skip_to_here(j, gone);
    a64_shared_end(j);
}

static void
enter(struct jit *j)
{
    for (int i = 0; i < N_SAVED; i++) {
        a64_pair(j, i ? A64_STP : A64_STP_PRE, saved[i], saved[i] + 1,
                 i ? 16 * i : -16 * N_SAVED);
    }
    a64_add_imm(j, A64_FP, A64_SP, 0);
    a64_sub_imm(j, A64_SP, A64_SP, VM_STACK_SIZE);
}

static void
leave(struct jit *j)
{
    a64_add_imm(j, A64_SP, A64_SP, VM_STACK_SIZE);
    for (int i = N_SAVED - 1; i >= 0; i--) {
        a64_pair(j, i ? A64_LDP : A64_LDP_POST, saved[i], saved[i] + 1,
                 i ? 16 * i : 16 * N_SAVED);
    }
    a64_put(j, A64_RET);
}

/* adr d, to where a64_skip_to_here() is called: it has the distance, but for
 * two bits that are zero, where a branch has it. */
static size_t
adr(struct jit *j, int d)
{
    a64_put(j, 0x10000000 | d);
    return j->len - 4;
}

/* The context in x0 has its turn; when it ends, the next one has, until none
 * is left.  x0 is then the last one's result. */
static void
rounds(struct jit *j, const struct vm_prog_type *type)
{
    size_t again, done, back = adr(j, BACK);

    again = j->len;
    load(j, PAGE, CTX, type->gen_off);
    load(j, A64_T0, CTX, TURN(entry));
    a64_blr(j, A64_T0);
    a64_skip_to_here(j, back);
    load(j, A64_T0, LAST, TURN(next));
    store(j, 0, A64_T0, TURN(result));
    a64_sub_imm(j, LEFT, LEFT, 1);
    done = a64_skip(j, A64_CBZ(false, LEFT));
    load(j, CTX, A64_T0, TURN(next));
    store(j, CTX, LAST, TURN(next));
    a64_b_to(j, again);
    a64_skip_to_here(j, done);
}

/* x0 is the only context, x1 the program. */
static void
run(struct jit *j, const struct vm_prog_type *type)
{
    enter(j);
    load(j, A64_T0, 1, offsetof(struct vm_prog, native_tail));
    a64_mov(j, true, LAST, CTX);
    a64_mov_imm(j, LEFT, 1);
    store(j, A64_T0, CTX, TURN(entry));
    store(j, CTX, CTX, TURN(next));
    rounds(j, type);
    leave(j);
}

/* x0 is the last of a ring of w1 contexts. */
static void
burst(struct jit *j, const struct vm_prog_type *type)
{
    enter(j);
    a64_mov(j, true, LAST, CTX);
    a64_mov(j, false, LEFT, 1);
    load(j, CTX, CTX, TURN(next));
    rounds(j, type);
    leave(j);
}

void
a64_stub(struct jit *j, enum jit_stub which, const struct vm_prog_type *type)
{
    switch (which) {
    case JIT_STUB_EMPTY:
        a64_shared_end(j);
        break;
    case JIT_STUB_FOREIGN:
        foreign(j);
        break;
    case JIT_STUB_RUN:
        run(j, type);
        break;
    default:
        burst(j, type);
        break;
    }
}

/* The context in x0 goes on behind this when all others of its burst have had
 * their turn. */
void
a64_yield(struct jit *j)
{
    const struct vm_prog_type *type = j->prog->type;
    size_t here = adr(j, A64_T0);

    store(j, A64_T0, CTX, TURN(entry));
    a64_mov(j, true, LAST, CTX);
    load(j, CTX, CTX, TURN(next));
    load(j, PAGE, CTX, type->gen_off);
    load(j, A64_T0, CTX, TURN(entry));
    a64_br(j, A64_T0);
    a64_skip_to_here(j, here);
}
