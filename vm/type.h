/* SPDX-License-Identifier: Apache-2.0 */
#ifndef VM_TYPE_H
#define VM_TYPE_H 1

/* Program types: what a kind of program gets, may touch and may call.
 *
 * What: a `struct vm_prog_type` is one constant table that the verifier, the
 * interpreter and the JITs share: the layout of the context that r1 points
 * to, the helpers, the limits.  vm/ knows no type of its own but the plain
 * memory one below; whoever has a context (datapath/) defines the type and
 * passes it to vm_prog_load().
 *
 * Contract: r1 is never NULL.  A context member is accessible only as its
 * kind says; bytes between members are not accessible at all.
 *
 * Ownership: constant, static storage, outlives the programs. */

#include <stdbool.h>
#include <stddef.h>
#include <stdint.h>

#include "vm/helper.h"

struct vm_backend;
struct vm_prog;

/* What a load from (or store to) a context member is. */
enum vm_ctx_kind {
    VM_CTX_SCALAR,              /* A number.  Narrower loads are allowed
                                 * inside of it (little-endian); stores, if
                                 * VM_CTX_RW, must have its full size unless
                                 * VM_CTX_NARROW is set. */
    VM_CTX_MEM,                 /* A block of bytes inside the context, such
                                 * as an array of key words: any aligned
                                 * access inside it, and its address may be
                                 * passed to helpers as memory. */
    VM_CTX_PKT_DATA,            /* Pointer to the packet's first byte. */
    VM_CTX_PKT_END,             /* Pointer past the packet's last byte. */
    VM_CTX_PKT_META,            /* Pointer to metadata that ends at data. */
    VM_CTX_BLOCK,               /* Pointer, never NULL, to 'block_size'
                                 * bytes (the cold part of a context): plain
                                 * memory, writable if VM_CTX_RW. */
    VM_CTX_HIDDEN,              /* Not accessible: documentation. */
};

#define VM_CTX_RW     0x01u     /* Stores are allowed. */
#define VM_CTX_NARROW 0x02u     /* ... of any size inside the member. */

struct vm_ctx_member {
    const char *name;           /* For messages: "in_port". */
    uint32_t off;               /* As the program sees it. */
    uint32_t size;              /* Bytes, as the program sees it; 4 or 8 for
                                 * the pointer kinds. */
    uint8_t kind;               /* enum vm_ctx_kind. */
    uint8_t flags;              /* VM_CTX_RW, VM_CTX_NARROW. */
    uint16_t real_size;         /* Where the memory differs from what the
                                 * program sees (struct xdp_md shows 64-bit
                                 * pointers as 32-bit numbers): size in */
    uint32_t real_off;          /* memory, and offset; 0, 0 when the same.
                                 * A load of the whole member becomes one of
                                 * 'real_size' bytes at 'real_off'. */
    uint32_t block_size;        /* VM_CTX_BLOCK. */
    uint64_t min, max;          /* Range of a scalar's loads; both 0: full.
                                 * The owner of the context guarantees it;
                                 * stores must keep to it. */
};

#define VM_NO_GEN UINT32_MAX

struct vm_prog_type {
    const char *name;           /* "xdp", "bvs". */
    uint32_t ctx_size;          /* Bytes that offsets may span. */

    const struct vm_ctx_member *members;        /* Sorted by 'off'. */
    size_t n_members;

    const struct vm_helper_set *const *helper_sets;
    size_t n_helper_sets;

    /* Limits; 0 means the default. */
    uint32_t max_insns;         /* Slots in a program (1,000,000). */
    uint32_t max_path;          /* Longest path, as the verifier computes it,
                                 * in instructions (none). */
    uint32_t max_tail_calls;    /* Of helper 12 in one run (33). */
    uint64_t fuel;              /* Instructions of one run, tail calls
                                 * included, in the checked interpreter
                                 * (16,777,216). */

    /* Generated programs: offset in the context, in memory, of the hidden
     * `struct vm_slots *` that VM_HELPER_GOTO jumps through, or VM_NO_GEN.
     * Its pages have 'n_slots' slots or more; programs that may be native
     * code never run without a page.  With it goes the offset of a hidden
     * `struct vm_turn` (vm/prog.h), for bursts. */
    uint32_t gen_off;
    uint32_t n_slots;
    uint32_t turn_off;

    /* r0 at exit must lie in [ret_min, ret_max] (both 0: any value).
     * 'abort_ret' is the result of a run that the checked interpreter
     * stopped. */
    uint64_t ret_min, ret_max;
    uint64_t abort_ret;
};

/* A page of programs, what a generation points to.  Slots are read by
 * workers while the owner stores them; an empty one is NULL.  The page holds
 * a reference to each of its programs.
 *
 * Native code does not read 'prog': a goto is a jump to code[slot], which is
 * the program's native code, or a stub of the back end for an empty slot or
 * a program without native code.  A program is replaced by one store. */
struct vm_slots {
    uint32_t n;                 /* Constant. */
    _Atomic unsigned int refs;
    struct vm_prog *_Atomic *prog;
    const struct vm_backend *backend;   /* That 'code' is for, or NULL. */
    const void *_Atomic code[];
};

/* A page of 'n' empty slots, with one reference; NULL without memory.  Pages
 * that native code is to enter are made after vm_slots_set_backend(). */
struct vm_slots *vm_slots_create(uint32_t n);

/* The last unref frees the page after quiescence. */
void vm_slots_unref(struct vm_slots *);         /* NULL is fine. */

/* Puts 'prog' (NULL: nothing) there, taking a reference; slots from n on are
 * ignored.  One thread at a time; workers may be in the page. */
void vm_slots_set(struct vm_slots *, uint32_t slot, struct vm_prog *prog);

/* The engine that later pages are for: the JIT says so itself. */
void vm_slots_set_backend(const struct vm_backend *);

/* The helper 'id' of 'type', or NULL. */
const struct vm_helper *vm_type_helper(const struct vm_prog_type *type,
                                       uint32_t id);

/* The same by name. */
const struct vm_helper *vm_type_helper_by_name(const struct vm_prog_type *,
                                               const char *name);

/* The member that covers [off, off + size), or NULL. */
const struct vm_ctx_member *vm_type_member(const struct vm_prog_type *,
                                           uint32_t off, uint32_t size);

/* Plain memory, for tests, tools and conformance suites: r1 points to
 * 'ctx_size' writable bytes (one VM_CTX_MEM member).  Makes a type with the
 * base helpers in '*type'; 'member' is storage for its only member. */
void vm_type_init_mem(struct vm_prog_type *type, struct vm_ctx_member *member,
                      uint32_t ctx_size);

#endif /* vm/type.h */
