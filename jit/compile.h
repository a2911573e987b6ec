/* SPDX-License-Identifier: Apache-2.0 */
#ifndef JIT_COMPILE_H
#define JIT_COMPILE_H 1

/* One compilation: what the driver (jit.c) and a machine's file share.
 *
 * The machine's file appends bytes with jit_put*() and asks jit_distance()
 * for branch distances.  The driver calls it for all instructions several
 * times: each pass knows the offsets of the pass before, so branches shrink
 * until nothing moves; the last pass runs with final addresses.  What passes
 * decide depends on the plan and on these offsets only.
 *
 * Errors are sticky: 'error' is asked once at the end.
 * Threads: private to one compilation. */

#include <stdbool.h>
#include <stddef.h>
#include <stdint.h>
#include "jit/plan.h"
#include "vm/prog.h"

struct vm_map;

/* Code that no program owns.  Of a kind of frame, which is where its types
 * have their slot page and their turn (vm/prog.h). */
enum jit_stub {
    JIT_STUB_EMPTY,             /* vm_backend.slot_empty */
    JIT_STUB_FOREIGN,           /* vm_backend.slot_foreign */
    JIT_STUB_RUN,               /* vm_prog.native: makes the frame that
                                 * generated programs share, runs one. */
    JIT_STUB_BURST,             /* vm_prog.native_burst */
    JIT_N_STUBS
};

struct jit {
    const struct vm_prog *prog;
    const struct jit_target *target;
    struct jit_plan *plan;      /* Of each slot, n_insns + 1 (jit/plan.h). */
    struct jit_func *funcs;     /* Of each function. */
    uint32_t subprog;           /* Of the instruction being emitted. */
    uint32_t shift;             /* Bytes that this pass is shorter so far. */
    bool exit_used;             /* Something jumps to 'exit_offset'. */
    uint8_t *buf;               /* Code of this pass. */
    size_t len, size;
    uint32_t *offsets;          /* Of each slot, n_insns + 1; as of the last
                                 * pass until this pass writes it. */
    bool *far;                  /* Of each slot, for the machine's file: its
                                 * branch does not reach; kept from pass to
                                 * pass. */
    uint32_t exit_offset;       /* Of the shared epilogue. */
    struct {
        unsigned int saved;     /* BPF's r6 to r9: bit 0 is r6. */
        uint32_t bytes;         /* Below what is saved. */
        bool calls;             /* It needs its return address later. */
    } frame;                    /* Of that function, for the machine's file,
                                 * which sets it. */
    const uint8_t *base;        /* Where it will run, or NULL. */
    bool first_pass;            /* Offsets are not known: assume far. */
    bool far_calls;             /* Helpers are out of reach. */
    int error;
    const char *why;            /* Sentence for 'error'. */
};

struct jit_target {
    const char *name;
    /* Bytes before the first instruction; '*tail' is where tail calls
     * enter. */
    void (*prologue)(struct jit *, size_t *tail);
    /* Slot 'pc': the instruction that starts there. */
    void (*insn)(struct jit *, uint32_t pc);
    /* Bytes after the last instruction. */
    void (*epilogue)(struct jit *);
    /* Of the argument registers of helper call 'pc' (bits 1u << VM_R1 to
     * VM_R5), those that its code reads; NULL: all that the helper has. */
    uint16_t (*call_uses)(const struct jit *, uint32_t pc);
    /* Accesses and lookups marked JIT_FRAME use the frame's register. */
    bool folds_frame;
    /* Finds out what the processor has; turns a feature off by its name,
     * false if there is none.  NULL: all processors are alike. */
    void (*detect)(void);
    bool (*disable)(const char *name);
    /* All of a stub.  j->prog is NULL, the type has only its offsets.  NULL:
     * programs of types with a slot page have frames of their own, and there
     * are no bursts. */
    void (*stub)(struct jit *, enum jit_stub, const struct vm_prog_type *);
};

/* The stubs for types with the offsets of 'type' (NULL: EMPTY and FOREIGN
 * only); NULL without memory.  They are kept for ever (stubs.c). */
const uint8_t *const *jit_stubs(const struct jit_target *,
                                const struct vm_prog_type *type);

extern const struct jit_target jit_x86_64;
extern const struct jit_target jit_aarch64;

void jit_put(struct jit *, const void *, size_t);
void jit_fail(struct jit *, int error, const char *why);

/* Makes room for 'n' more bytes; false after jit_fail(). */
bool jit_reserve(struct jit *, size_t n);

static inline void
jit_put1(struct jit *j, uint8_t x)
{
    if (j->len < j->size || jit_reserve(j, 1)) {
        j->buf[j->len++] = x;
    }
}

static inline void
jit_put4(struct jit *j, uint32_t x)
{
    if (j->len + 4 <= j->size || jit_reserve(j, 4)) {
        __builtin_memcpy(j->buf + j->len, &x, 4);
        j->len += 4;
    }
}

static inline void
jit_put8(struct jit *j, uint64_t x)
{
    jit_put4(j, x);
    jit_put4(j, x >> 32);
}

/* The access that instruction 'pc' really makes: its offset and size in
 * bytes, after the program type's fix-ups. */
void jit_access(const struct vm_prog *, uint32_t pc, int32_t *off, int *size);

/* ## What the machines ask of a program (shape.c). */

/* Number of the function that contains 'pc'. */
uint32_t jit_subprog_at(const struct vm_prog *, uint32_t pc);

/* Whether all programs of its type have the same frame, so that a goto
 * enters the target after its prologue. */
bool jit_shares_frame(const struct vm_prog *);

/* Bytes of BPF stack in the frame of function 'subprog', a multiple of 8. */
uint32_t jit_stack_bytes(const struct vm_prog *, uint32_t subprog);

/* Whether it makes counted tail calls. */
bool jit_has_tail_call(const struct vm_prog *);

/* Offset in the code of where jump or local call 'pc' leads to, as far as
 * this pass knows: forwards, the last pass's, less what is shorter now. */
uint32_t jit_target_offset(const struct jit *, uint32_t pc);

/* The constant that the two-slot instruction 'pc' loads. */
uint64_t jit_load_imm(const struct vm_prog *, uint32_t pc);

/* The C function that helper call 'pc' reaches: a lookup in a map that is
 * known calls the kind's function at once. */
const void *jit_call_target(const struct vm_prog *, uint32_t pc);

/* Of a thread-local variable, from where the thread's begin. */
int32_t jit_thread_off(const void *variable);

/* The map that call 'pc' is about, if it is known; else NULL. */
const struct vm_map *jit_known_map(const struct vm_prog *, uint32_t pc);

/* Whether tail call 'pc' goes to a slot that exists and is known: slot
 * aux->cval of the map above. */
bool jit_known_slot(const struct vm_prog *, uint32_t pc);

/* What lookup 'pc' is in, if it is a map whose values lie side by side: array,
 * per-CPU array, devmap, cpumap, xskmap. */
struct jit_array {
    const uint8_t *data;
    uint32_t n, elem_size;      /* Elements, bytes of one. */
    uint32_t cpu_stride;        /* From one CPU's to the next's; or 0. */
    uint32_t present;           /* Where in an element a byte says that it is
                                 * there; 0: all are. */
};

/* False if it is not, not known, or of a size that cannot be computed
 * with. */
bool jit_known_array(const struct vm_prog *, uint32_t pc,
                     struct jit_array *);

/* For jit_target.call_uses: such a lookup reads its key only, a tail call to
 * a known slot its context only. */
uint16_t jit_call_uses(const struct jit *, uint32_t pc);

/* The jump on a null result that follows lookup 'pc' and that nothing else
 * leads to, or UINT32_MAX. */
uint32_t jit_null_check(const struct jit *, uint32_t pc);

#endif /* jit/compile.h */
