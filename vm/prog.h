/* SPDX-License-Identifier: Apache-2.0 */
#ifndef VM_PROG_H
#define VM_PROG_H 1

/* Programs: from instructions to something that runs.
 *
 * What: vm_prog_load() takes instructions and maps and passes them through
 *
 *     decode and validate    this file: encodings, jumps, subprograms, calls
 *     verify                 attr->verify, if given (vm/verifier/)
 *     fix up                 context accesses get their real offsets
 *     compile                attr->backend, if given and verified (jit/)
 *
 * A program that was not verified runs in the checked interpreter only; one
 * that was runs in the fast interpreter, or as native code once a back end
 * has compiled it.  If compiling fails the program still loads and runs in
 * the interpreter; vm_prog_compile_error() says why.
 *
 * Ownership: load returns one reference.  A program owns copies of its
 * instructions and notes, and references to its maps.  The last unref frees
 * it after quiescence (vm_defer()).
 *
 * Threads: immutable after load but for counters.  Any thread may run it;
 * load and unref may be called from any thread. */

#include <stdbool.h>
#include <stddef.h>
#include <stdint.h>

#include "vm/err.h"
#include "vm/insn.h"
#include "vm/type.h"

struct vm_map;
struct vm_op;
struct vm_prog;
struct vstate;
struct vlive;

/* A remark on instructions [start, end): which flow they stand for, a line
 * of source.  The disassembler prints it before 'start'. */
struct vm_note {
    uint32_t start, end;
    const char *text;
};

/* A function: the main program is number 0, at instruction 0. */
struct vm_subprog {
    uint32_t start, end;        /* Slots [start, end). */
    uint32_t stack;             /* Bytes of stack it uses; VM_STACK_SIZE until
                                 * the verifier knows better. */
};

/* What the verifier found out about one instruction slot, for fix-ups and
 * for the JITs.  All zero if it found nothing: zero always means "assume the
 * worst", but for VM_AUX_SEEN, which matters only in verified programs. */
enum vm_mem_kind {
    VM_MEM_UNKNOWN,             /* Or several kinds. */
    VM_MEM_CTX,
    VM_MEM_STACK,               /* Of any frame. */
    VM_MEM_PACKET,
    VM_MEM_MAP_VALUE,
    VM_MEM_BLOCK,               /* VM_CTX_BLOCK. */
    VM_MEM_OTHER
};

#define VM_AUX_SEEN       0x0001u /* Some path executes it; a slot without
                                   * this in a verified program is dead. */
#define VM_AUX_ALWAYS     0x0002u /* Conditional jump: always taken. */
#define VM_AUX_NEVER      0x0004u /* Conditional jump: never taken. */
#define VM_AUX_DIV_SAFE   0x0008u /* Divisor is never 0 (nor INT_MIN / -1). */
#define VM_AUX_NO_ZEXT    0x0010u /* Upper half of dst is not needed. */
#define VM_AUX_CONST_KEY  0x0020u /* Tail call, goto: index 'cval'. */
#define VM_AUX_LOOP_HEAD  0x0040u /* Target of a back edge. */
#define VM_AUX_CTX        0x0080u /* Load or store of context member 'member',
                                   * on every path. */

struct vm_aux {
    uint16_t flags;             /* VM_AUX_*. */
    uint8_t mem;                /* enum vm_mem_kind: loads, stores, atomics. */
    uint8_t member;             /* Index of the context member + 1, or 0. */
    int32_t map;                /* Calls: index of the only map that the
                                 * VM_ARG_MAP argument can be, plus 1; or 0. */
    uint64_t cval;              /* VM_AUX_CONST_KEY. */
};

/* The verifier, as the loader calls it: 'prog' is decoded and validated (its
 * insns, subprogs, maps and type are set); fills prog->aux, subprogs[].stack,
 * prog->longest_path.  0, or -EACCES, -EINVAL, -E2BIG (too complex) with a
 * message in 'err'; a longer log goes to 'log' (printf-like, may be NULL). */
struct vm_verify_opts {
    void (*log)(void *aux, const char *text);
    void *log_aux;
    uint32_t log_level;         /* 0 nothing; 1 the registers and the stack
                                 * of a rejection; 2 every step, too. */
    uint64_t max_steps;         /* 0: 1,000,000. */
    uint32_t max_ms;            /* Wall clock; 0: 10,000. */

    /* For the fuzzer (may be NULL): called with each state that is walked on
     * from, before its instruction, and what of each of its frames matters
     * (vm/verifier/state.h). */
    void (*record)(void *aux, uint32_t pc, const struct vstate *,
                   const struct vlive *);
    void *record_aux;
    size_t max_memory;          /* Bytes of remembered states; 0: 64 MB. */
};
typedef int vm_verify_fn(struct vm_prog *prog, const struct vm_verify_opts *,
                         struct vm_err *err);

/* An engine that makes native code; the daemon hands it to vm. */
struct vm_backend {
    const char *name;           /* "x86-64". */

    /* Compiles a verified program: sets prog->native, prog->native_tail,
     * prog->native_size, prog->backend_priv, and native_burst if the type
     * has turns and the engine has bursts.  0 or negative errno with a
     * sentence; then the program is as before. */
    int (*compile)(struct vm_prog *prog, struct vm_err *err);

    /* Frees what compile() made; no thread runs it any more. */
    void (*free)(struct vm_prog *prog);

    /* What vm_slots.code holds where there is no native code. */
    const void *slot_empty;     /* Ends the run with -ENOENT. */
    const void *slot_foreign;   /* vm_prog_run() on the slot's program. */
};

struct vm_prog_attr {
    const struct vm_prog_type *type;    /* Borrowed for ever: static. */
    const char *name;                   /* Copied; may be NULL. */
    const struct vm_insn *insns;        /* Copied. */
    uint32_t n_insns;                   /* Slots. */
    struct vm_map *const *maps;         /* Referenced; what VM_PSEUDO_MAP_IDX
                                         * counts in.  May be NULL. */
    uint32_t n_maps;
    const struct vm_note *notes;        /* Copied; may be NULL. */
    uint32_t n_notes;
    vm_verify_fn *verify;               /* NULL: not verified. */
    const struct vm_verify_opts *verify_opts;   /* May be NULL. */
    const struct vm_backend *backend;   /* NULL: interpreter. */
};

/* Native code: r1 is in the first argument, as for vm_prog_run(). */
typedef uint64_t vm_run_fn(void *ctx, const struct vm_prog *prog);

/* Native code of a burst, see vm_prog_run_burst(): of 'n' contexts that are
 * linked to a ring by their turns, starting with the one after 'last'. */
typedef void vm_burst_fn(void *last, uint32_t n);

/* A loaded program.  Others read it; only prog.c, the verifier (aux, stack,
 * longest_path) and the back end (native*, backend_priv) write, all before
 * vm_prog_load() returns. */
struct vm_prog {
    /* First, so that a tail call is `load slot; test; jmp [prog]`: where
     * native code of the same back end continues, after the prologue; NULL
     * if there is none, and then native code calls vm_prog_run() on the
     * target and returns its result. */
    const void *native_tail;
    vm_run_fn *run;             /* An interpreter or native code. */
    const struct vm_prog_type *type;
    const struct vm_op *ops;    /* Decoded and fixed up: fast interpreter. */
    const struct vm_op *ops_checked;    /* As loaded: checked interpreter. */

    const struct vm_insn *insns;
    uint32_t n_insns;
    bool verified;

    struct vm_map *const *maps;
    uint32_t n_maps;

    struct vm_subprog *subprogs;
    uint32_t n_subprogs;

    struct vm_aux *aux;         /* n_insns; never NULL. */
    uint32_t longest_path;      /* Instructions, as the verifier computed; 0
                                 * not known. */

    const struct vm_backend *backend;   /* That compiled it, or NULL. */
    vm_run_fn *native;
    vm_burst_fn *native_burst;  /* Of types with turns; may be NULL. */
    size_t native_size;         /* Bytes of machine code. */
    void *backend_priv;

    const struct vm_note *notes;
    uint32_t n_notes;

    /* Offsets in memory of the context's packet pointers, for the checked
     * interpreter, or UINT32_MAX; and whether it has VM_CTX_BLOCKs. */
    uint32_t pkt_data_off, pkt_end_off, pkt_meta_off;
    bool has_blocks;

    _Atomic unsigned int refs;
    uint32_t id;                /* Unique in the process, from 1. */
    uint64_t load_ns, verify_ns, compile_ns;    /* How long they took. */
    size_t memory;              /* Bytes, without maps and machine code. */
    struct vm_err compile_err;
    char name[64];
};

int vm_prog_load(const struct vm_prog_attr *, struct vm_prog **,
                 struct vm_err *);
struct vm_prog *vm_prog_ref(struct vm_prog *);
void vm_prog_unref(struct vm_prog *);           /* NULL is fine. */

/* Runs 'prog' with r1 = 'ctx' and returns r0.  If the checked interpreter
 * stopped the program, returns type->abort_ret, and vm_fault.error is not 0
 * until the thread's next run. */
static inline uint64_t
vm_prog_run(const struct vm_prog *prog, void *ctx)
{
    return prog->run(ctx, prog);
}

/* ## Bursts: one program over several contexts, whose misses overlap.
 *
 * vm_prog_run_burst() runs 'prog' on each of ctxs[0] to ctxs[n - 1], in this
 * order, until all have ended.  A program that calls VM_HELPER_YIELD, having
 * prefetched what it reads next, is put aside, and the next context of the
 * burst has its turn; when all others have yielded or ended, it goes on after
 * its call.  Programs that never yield so run one after the other.
 *
 * How the datapath uses it: a worker has an array of contexts (as many as the
 * largest burst; their stride not a multiple of 4096, so that they do not
 * collide in the L1 cache), zeroed once.  Per burst: latch slots and version
 * into each context, initialise it for its packet, vm_prog_run_burst(PARSE),
 * and then look at the result of each context's turn, in order of arrival:
 * what vm_prog_run() would have returned (so the type's 'abort_ret' if the
 * checked interpreter stopped the program; vm_fault is of the last one that
 * ran).  What a program leaves
 * for later steps (outputs, frames, drop reasons) must be per context: other
 * packets run between its halves.  Contexts may have different slot pages.
 *
 * All engines run contexts in the same order.  An engine without bursts, and
 * a program that was not started by vm_prog_run_burst(), goes on at once
 * after a yield.
 *
 * Threads: the contexts belong to the calling thread. */

/* A hidden member of the context, at vm_prog_type.turn_off; zeroed when the
 * context is made, and then the engines' own; after a burst, 'result' is the
 * owner's to read. */
struct vm_turn {
    const void *entry;          /* Where it goes on. */
    void *next;                 /* Context whose turn is next. */
    uint64_t result;            /* Of the run, once it has ended. */
    const struct vm_prog *prog; /* Interpreters: what 'entry' lies in, while a
                                 * burst has not ended it. */
};

void vm_prog_run_burst(const struct vm_prog *prog, void *const *ctxs,
                       uint32_t n);

/* Why the checked interpreter stopped the calling thread's last run. */
struct vm_fault {
    int error;                  /* 0: it did not.  -EFAULT memory, -ETIME
                                 * fuel, -EINVAL argument, -ELOOP frames. */
    uint32_t pc;                /* Slot of the instruction. */
    const struct vm_prog *prog; /* Which program, after tail calls; compare
                                 * only. */
    char text[160];             /* "insn 12: store of 4 bytes at r1 + 96:
                                 * not in any region the program may touch" */
};
extern _Thread_local struct vm_fault vm_fault;

/* The sentence of a compile() that failed, or NULL. */
const char *vm_prog_compile_error(const struct vm_prog *);

/* Runs of checked mode only, even if verified (fuzzing, bvs-bpf); same
 * contract as vm_prog_run(). */
uint64_t vm_prog_run_checked(const struct vm_prog *, void *ctx);
/* Runs in the fast interpreter.  The program must be verified. */
uint64_t vm_prog_run_fast(const struct vm_prog *, void *ctx);

/* Instruction 'pc' with its access to the context fixed up: a load of a
 * member that lies elsewhere in memory (vm_ctx_member.real_off) has the
 * memory's offset and size.  Native code must load what this says; all other
 * instructions come back as they are. */
struct vm_insn vm_prog_fixed_insn(const struct vm_prog *, uint32_t pc);

/* Validation alone: what vm_prog_load() does before it verifies, on
 * instructions that are not yet a program.  'type' NULL: helper numbers are
 * not looked at; n_maps bounds map indices. */
int vm_validate(const struct vm_insn *, uint32_t n,
                const struct vm_prog_type *type, uint32_t n_maps,
                struct vm_err *);

#endif /* vm/prog.h */
