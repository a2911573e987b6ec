/* SPDX-License-Identifier: Apache-2.0 */
#ifndef VM_HELPER_H
#define VM_HELPER_H 1

/* Helpers: C functions that programs call, and their prototypes.
 *
 * What: one `struct vm_helper` describes a helper for everybody: the verifier
 * checks argument registers against 'args' and types r0 by 'ret', the checked
 * interpreter checks the same at run time, the JITs call 'fn' directly.
 * Program types list the sets of helpers that their programs may call
 * (vm/type.h).
 *
 * Numbers: a helper of Linux has Linux's number (enum bpf_func_id); helpers
 * of our own start at VM_HELPER_OURS.
 *
 * Ownership: sets are constant, in static storage, as long as programs live.
 *
 * Threads: 'fn' runs on any worker; a pointer that it returns stays valid
 * until that worker is quiescent. */

#include <stddef.h>
#include <stdint.h>

/* A helper gets r1 to r5 and returns r0; those that take fewer arguments
 * ignore the rest, whose values are then arbitrary. */
typedef uint64_t vm_helper_fn(uint64_t r1, uint64_t r2, uint64_t r3,
                              uint64_t r4, uint64_t r5);

/* Kernel numbers that the VM itself knows. */
enum {
    VM_HELPER_MAP_LOOKUP = 1,
    VM_HELPER_MAP_UPDATE = 2,
    VM_HELPER_MAP_DELETE = 3,
    VM_HELPER_KTIME_GET_NS = 5,
    VM_HELPER_TRACE_PRINTK = 6,
    VM_HELPER_PRANDOM_U32 = 7,
    VM_HELPER_CPU_ID = 8,

    /* tail_call(ctx, prog_array, index): ends the current function and runs
     * the program in its place, with r1 = ctx and the same frame's stack;
     * from a local function, the program's result goes to that function's
     * caller, as in Linux.  If there is no such program, or the limit of the
     * run is reached, the call returns -ENOENT and the program goes on.  The
     * index is its low 32 bits. */
    VM_HELPER_TAIL_CALL = 12,

    VM_HELPER_PERF_OUTPUT = 25,
    VM_HELPER_JIFFIES64 = 118,
    VM_HELPER_KTIME_GET_BOOT_NS = 125,
    VM_HELPER_RINGBUF_OUTPUT = 130,
    VM_HELPER_RINGBUF_RESERVE = 131,
    VM_HELPER_RINGBUF_SUBMIT = 132,
    VM_HELPER_RINGBUF_DISCARD = 133,
    VM_HELPER_RINGBUF_QUERY = 134,
    VM_HELPER_KTIME_COARSE_NS = 160,
};

/* Ours. */
enum {
    VM_HELPER_OURS = 0x10000,

    /* goto(ctx, slot): tail call of program 'slot' (low 32 bits) of the slot
     * page that the context points to (vm_prog_type.gen_off).  Does not
     * return: if the slot is empty or out of range the run ends with the
     * result -ENOENT.  Not counted against the tail call limit, which is for
     * users' prog arrays.
     *
     * Engines may hold the page in a register: a helper that changes the
     * context's page takes effect with the next goto whose slot is not a
     * constant of the program. */
    VM_HELPER_GOTO = VM_HELPER_OURS,

    /* vlookup(map, key, version): the value visible in 'version' of a
     * versioned map (vm/maps/vtable.h), or NULL. */
    VM_HELPER_VLOOKUP,

    /* map_hash(map, key): a cookie: the key's hash is taken, its bucket
     * prefetched.  map_lookup_hash(map, key, cookie): the second half; a
     * wrong cookie can only miss. */
    VM_HELPER_MAP_HASH,
    VM_HELPER_MAP_LOOKUP_HASH,

    /* yield(ctx): in a burst (vm_prog_run_burst()), lets the other contexts
     * have their turns before it returns.  Afterwards r1 is the context;
     * nothing else is left of registers and stack.  Not in local
     * functions. */
    VM_HELPER_YIELD,

    /* prefetch(address): a hint that the cache line of 'address' will be
     * read soon.  Any number or pointer: nothing is accessed. */
    VM_HELPER_PREFETCH,

    /* vlookup(map, key, version) in steps, so that a program can yield
     * between them: vlookup_start(map, key) and vlookup_next(map, key,
     * cookie) return cookies, vlookup_end(map, key, version, cookie) the
     * value.  See vm_map_ops.vstart. */
    VM_HELPER_VLOOKUP_START,
    VM_HELPER_VLOOKUP_NEXT,
    VM_HELPER_VLOOKUP_END,

    /* First number for helpers defined outside vm/. */
    VM_HELPER_DP = 0x10100,
};

enum vm_ret_kind {
    VM_RET_INT,                 /* Scalar, in [ret_min, ret_max]. */
    VM_RET_VOID,                /* r0 is not readable afterwards. */
    VM_RET_MAP_VALUE_OR_NULL,   /* Value of the map that the VM_ARG_MAP
                                 * argument names ('value_size' bytes); of a
                                 * map of maps, an inner map or NULL. */
    VM_RET_MEM_OR_NULL,         /* As many writable bytes as the
                                 * VM_ARG_CONST_SIZE argument says. */
};

enum vm_arg_kind {
    VM_ARG_NONE,                /* Not an argument; ends the list. */
    VM_ARG_ANY,                 /* Any initialised scalar. */
    VM_ARG_ADDRESS,             /* Any initialised value, pointers too. */
    VM_ARG_OPTIONAL,            /* Whatever the register holds, even if
                                 * nothing has written it. */
    VM_ARG_CTX,                 /* The context, as the program got it. */
    VM_ARG_MAP,                 /* A map, known at load, with the abilities
                                 * of vm_helper.map_caps. */
    VM_ARG_MAP_KEY,             /* key_size readable bytes of that map: stack,
                                 * map value, packet, memory of the context
                                 * (VM_CTX_MEM), cold block. */
    VM_ARG_MAP_VALUE,           /* value_size readable bytes, likewise. */
    VM_ARG_MEM,                 /* Readable memory; its size is the next
                                 * argument, which is VM_ARG_SIZE*. */
    VM_ARG_MEM_OR_NULL,         /* The same, or NULL when the size is 0. */
    VM_ARG_MEM_OUT,             /* Writable memory, need not be initialised;
                                 * the helper fills all of it. */
    VM_ARG_SIZE,                /* Size of the memory before it: > 0,
                                 * bounded. */
    VM_ARG_SIZE_OR_ZERO,        /* The same, 0 allowed. */
    VM_ARG_CONST_SIZE,          /* Constant: bytes of the returned memory. */
    VM_ARG_RELEASE,             /* Memory that a helper with VM_HF_ACQUIRE
                                 * returned (exactly its start); no longer
                                 * accessible afterwards. */
};

/* Flags of a helper. */
#define VM_HF_MOVES_PACKET  0x01u /* Packet pointers are invalid after it. */
#define VM_HF_WRITES_PACKET 0x02u /* Packet bytes may change. */
#define VM_HF_TAIL_CALL     0x04u /* Returns only on failure; the engines
                                   * implement it, 'fn' is NULL. */
#define VM_HF_ACQUIRE       0x08u /* The result, if not NULL, must be given
                                   * back by a VM_ARG_RELEASE argument on
                                   * every path. */
#define VM_HF_NO_PACKET_MEM 0x10u /* Memory arguments must not lie in the
                                   * packet. */

#define VM_HF_YIELD         0x20u /* The engines implement it, 'fn' is NULL:
                                   * see VM_HELPER_YIELD. */

struct vm_helper {
    uint32_t id;
    const char *name;           /* In the text form: `call name`. */
    vm_helper_fn *fn;
    enum vm_ret_kind ret;
    enum vm_arg_kind args[5];
    uint32_t flags;             /* VM_HF_*. */
    uint32_t map_caps;          /* VM_MAP_CAP_* (vm/map.h) that the map of a
                                 * VM_ARG_MAP argument must all have. */
    int64_t ret_min, ret_max;   /* Of a VM_RET_INT; both 0: any value. */
};

/* A set of helpers, sorted or not. */
struct vm_helper_set {
    const struct vm_helper *helpers;
    size_t n;
};

/* Maps, time, random numbers, tail calls: everything that needs no packet.
 * Every program type includes it. */
extern const struct vm_helper_set vm_helpers_base;

/* The helpers on versioned maps and the slot page: for types of generated
 * programs (vm_prog_type.gen_off != VM_NO_GEN). */
extern const struct vm_helper_set vm_helpers_versioned;

#endif /* vm/helper.h */
