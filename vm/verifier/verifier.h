/* SPDX-License-Identifier: Apache-2.0 */

/* Parts of the verifier, shared by its files only; vm/verify.h is for users.
 *
 * One `struct verifier` a verification.  walk.c drives: it executes one
 * instruction after the other on the current state 'cur'; alu.c, mem.c,
 * branch.c and call.c each know one kind.  They return 0, or a negative
 * errno after vf_reject().
 *
 * Threads: private to the thread that verifies. */

#ifndef VM_VERIFIER_VERIFIER_H
#define VM_VERIFIER_VERIFIER_H 1

#include <stdbool.h>
#include <stdint.h>
#include "vm/prog.h"
#include "vm/verifier/cfg.h"
#include "vm/verifier/state.h"

enum vf_rule {
#define VF_RULE(ID, ERROR, BROKEN, REMEDY) VF_##ID,
#include "vm/verifier/rules.def"
#undef VF_RULE
    VF_N_RULES
};

/* Bounds of offsets: far from where sums could wrap. */
#define VF_MAX_OFF (1 << 29)
#define VF_MAX_PACKET_OFF 0xffff

struct vf_mark;                 /* A remembered state: walk.c. */

/* A branch to be taken later. */
struct vf_pending {
    struct vstate state;
    uint32_t pc;
    uint32_t path;              /* Instructions since 'mark'. */
    struct vf_mark *mark;
};

struct verifier {
    struct vm_prog *prog;
    const struct vm_verify_opts *opts;
    struct vm_err *err;
    struct vcfg cfg;

    struct vstate cur;
    uint32_t pc;                /* Being executed. */
    const struct vm_ctx_member *member; /* Accessed by this instruction. */
    uint32_t last_id;           /* For vreg.id and vreg.ref. */
    uint64_t steps;
    uint64_t deadline_ns;
    size_t memory;              /* Bytes of remembered states. */

    struct vf_pending *pending;
    size_t n_pending, max_pending;

    struct vf_mark **marks;     /* Heads of lists, one an instruction. */
    struct vf_mark *mark;       /* Last one on this path. */
    uint32_t path;              /* Instructions since 'mark'. */
    uint32_t since_mark, jumps_since_mark;
    uint32_t longest;
    uint32_t *stack_used;       /* One a subprogram: bytes. */
};

/* Rejects the program at the current instruction: the message names the
 * instruction, register 'regno' (-1: none) as it is, the rule and the
 * remedy.  Returns the rule's negative errno. */
#define vf_reject(V, RULE, REGNO) vf_reject_at(VM_SITE(), V, RULE, REGNO)
int vf_reject_at(const struct vm_site *, struct verifier *, enum vf_rule,
                 int regno);

/* Logs the current instruction: log_level 2. */
void vf_log_insn(const struct verifier *);

/* Register 'regno', which must be readable; null after a rejection. */
struct vreg *vf_read(struct verifier *, int regno, int *error);

static inline struct vreg *
vf_reg(struct verifier *v, int regno)
{
    return vstate_reg(&v->cur, regno);
}

/* Remembers 'state' (copied) for later at 'pc'. */
int vf_push(struct verifier *, uint32_t pc);

/* The current function returns what r0 is; walk.c. */
int vf_leave(struct verifier *);

/* alu.c */
int vf_alu(struct verifier *, const struct vm_insn *, const struct vm_isa *);
int vf_load_imm(struct verifier *, const struct vm_insn *,
                const struct vm_isa *);

/* branch.c.  On return, '*taken' is 1 or 0 if only that way is possible; -1
 * if both are: then the state for the jump was pushed and the current one is
 * for the next instruction. */
int vf_branch(struct verifier *, const struct vm_insn *,
              const struct vm_isa *, int *taken);

/* mem.c */
int vf_load(struct verifier *, const struct vm_insn *, const struct vm_isa *);
int vf_store(struct verifier *, const struct vm_insn *,
             const struct vm_isa *);
int vf_atomic(struct verifier *, const struct vm_insn *,
              const struct vm_isa *);
/* Checks that 'size' bytes may be read ('write' false) or written through
 * register 'regno' plus 'off', as memory of numbers. */
int vf_check_mem(struct verifier *, int regno, int off, uint32_t size,
                 bool write);

/* stack.c */
int vf_stack_load(struct verifier *, int regno, int off, int size,
                  struct vreg *value);
int vf_stack_store(struct verifier *, int regno, int off, int size,
                   const struct vreg *value);
/* Reads or overwrites a region as plain bytes. */
int vf_stack_region(struct verifier *, int regno, int off, uint32_t size,
                    bool write);

/* call.c */
int vf_call(struct verifier *, const struct vm_insn *);
bool vf_has_ref(const struct vstate *, uint32_t ref);

#endif /* vm/verifier/verifier.h */
