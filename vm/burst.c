/* SPDX-License-Identifier: Apache-2.0 */

/* Bursts: one program over several contexts. */

#include "vm/prog.h"

#include "vm/prog-internal.h"

/* Contexts whose turn has not ended form a ring; 'last' is the one before
 * the one whose turn it is. */
static void
interpret(const struct vm_prog *prog, void *last, uint32_t n)
{
    const struct vm_prog_type *type = prog->type;

    while (n) {
        struct vm_turn *before = vm_turn(type, last);
        void *ctx = before->next;
        struct vm_turn *turn = vm_turn(type, ctx);
        uint64_t result = prog->run(ctx, turn->prog);

        if (turn->prog) {
            last = ctx;
        } else {
            turn->result = result;
            before->next = turn->next;
            n--;
        }
    }
}

void
vm_prog_run_burst(const struct vm_prog *prog, void *const *ctxs, uint32_t n)
{
    const struct vm_prog_type *type = prog->type;
    bool native = prog->native != NULL;

    if (!n) {
        return;
    }
    for (uint32_t i = 0; i < n; i++) {
        struct vm_turn *turn = vm_turn(type, ctxs[i]);

        turn->entry = native ? prog->native_tail : NULL;
        turn->next = ctxs[i + 1 < n ? i + 1 : 0];
        turn->prog = native ? NULL : prog;
    }
    if (prog->native_burst) {
        prog->native_burst(ctxs[n - 1], n);
    } else if (native) {
        for (uint32_t i = 0; i < n; i++) {
            vm_turn(type, ctxs[i])->result = prog->native(ctxs[i], prog);
        }
    } else {
        interpret(prog, ctxs[n - 1], n);
    }
}
