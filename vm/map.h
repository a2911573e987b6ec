/* SPDX-License-Identifier: Apache-2.0 */
#ifndef VM_MAP_H
#define VM_MAP_H 1

/* Maps: the memory that programs share with each other and with their owner.
 *
 * What: a `struct vm_map` is the common head of every kind; what a kind does
 * is its const `struct vm_map_ops`.  A kind is one row in vm/maps/maps.def
 * and one file in vm/maps/.  Keys, values, flags and errors are Linux's; a
 * map of 'max_entries' entries takes that many.
 *
 * Two sides: vm_map_lookup(), vm_map_update() and vm_map_delete() do what
 * the helpers of those names do for a program on the calling thread's CPU.
 * vm_map_read() and vm_map_write() are the owner's side, with the form that
 * Linux's system calls have: they copy, and the value of a per-CPU map is an
 * array of vm_n_cpus values, each padded to 8 bytes.
 *
 * Ownership: vm_map_create() returns one reference.  Programs hold a
 * reference to each of their maps.  The last vm_map_unref() destroys the map
 * after quiescence.
 *
 * Threads: lookups are lock-free and may run anywhere, at any time.
 * Updates and deletes may run anywhere too, unless the kind's header says
 * "single writer" (vhash, vtuples).  A value that a lookup returned stays
 * readable memory until the reader is quiescent: frees are deferred through
 * the hook below.
 *
 * Inlining: array.h and hash.h in vm/maps/ describe layouts that stay as they
 * are for JITs which inline lookups; of the other kinds, call the operations.
 *
 * Errors: negative errno as Linux's: -E2BIG full or index too large, -EEXIST,
 * -ENOENT, -EINVAL, -ENOMEM. */

#include <stdbool.h>
#include <stddef.h>
#include <stdint.h>

#include "vm/err.h"

struct vm_map;

enum vm_map_kind {
#define VM_MAP(ID, NUMBER) VM_MAP_##ID = NUMBER,
#include "vm/maps/maps.def"
};

/* What programs may do with a map of some kind. */
#define VM_MAP_CAP_LOOKUP    0x0001u
#define VM_MAP_CAP_UPDATE    0x0002u
#define VM_MAP_CAP_DELETE    0x0004u
#define VM_MAP_CAP_HASH      0x0008u /* Split lookup: map_hash(). */
#define VM_MAP_CAP_DIRECT    0x0010u /* VM_PSEUDO_MAP_IDX_VALUE. */
#define VM_MAP_CAP_TAIL_CALL 0x0020u
#define VM_MAP_CAP_VLOOKUP   0x0040u
#define VM_MAP_CAP_OF_MAPS   0x0080u /* A lookup returns a map. */
#define VM_MAP_CAP_REDIRECT  0x0100u
#define VM_MAP_CAP_RINGBUF   0x0200u
#define VM_MAP_CAP_PERF      0x0400u
#define VM_MAP_CAP_PER_CPU   0x0800u /* A value for each CPU. */
#define VM_MAP_CAP_VSTEPS    0x1000u /* Versioned lookup in steps. */

/* Flags of an update (Linux's BPF_ANY ...). */
enum { VM_ANY = 0, VM_NOEXIST = 1, VM_EXIST = 2, VM_LOCK = 4 };

/* Flags of a map (Linux's BPF_F_*). */
#define VM_MF_NO_PREALLOC   0x0001u
#define VM_MF_NO_COMMON_LRU 0x0002u /* Accepted, ignored. */
#define VM_MF_NUMA_NODE     0x0004u /* Accepted, ignored. */
#define VM_MF_RDONLY        0x0008u /* For the owner's side. */
#define VM_MF_WRONLY        0x0010u
#define VM_MF_ZERO_SEED     0x0040u
#define VM_MF_RDONLY_PROG   0x0080u /* For programs. */
#define VM_MF_WRONLY_PROG   0x0100u
#define VM_MF_MMAPABLE      0x0400u /* Accepted, ignored. */
#define VM_MF_PRESERVE_ELEMS 0x0800u
#define VM_MF_INNER_MAP     0x1000u /* Inner arrays of any size. */

struct vm_map_attr {
    enum vm_map_kind kind;
    uint32_t key_size;          /* Bytes. */
    uint32_t value_size;        /* Bytes. */
    uint32_t max_entries;
    uint32_t flags;             /* VM_MF_*. */
    const char *name;           /* Copied; may be NULL. */
    struct vm_map *inner;       /* Maps of maps: what inner maps are like
                                 * (borrowed, only looked at). */
};

struct vm_map_ops {
    const char *name;           /* Kind's name. */
    uint32_t number;            /* enum vm_map_kind. */
    uint32_t caps;              /* VM_MAP_CAP_*. */

    /* Makes a map: checks 'attr', allocates, and sets what is its own; the
     * caller fills in the head. */
    int (*create)(const struct vm_map_attr *, struct vm_map **,
                  struct vm_err *);
    void (*destroy)(struct vm_map *);           /* No users are left. */

    /* A program's side. */
    void *(*lookup)(struct vm_map *, const void *key);
    int (*update)(struct vm_map *, const void *key, const void *value,
                  uint64_t flags);
    int (*delete)(struct vm_map *, const void *key);

    /* Split lookup, for kinds with VM_MAP_CAP_HASH. */
    uint64_t (*hash)(struct vm_map *, const void *key);
    void *(*lookup_hash)(struct vm_map *, const void *key, uint64_t cookie);
    /* Between the two, for callers with many keys at a time: follows the
     * bucket, which has arrived by now, to what lookup_hash() reads next. */
    void (*prefetch)(struct vm_map *, uint64_t cookie);

    /* Looks up 'n' keys: their misses overlap.  NULL: one by one, split where
     * the kind can. */
    void (*lookup_burst)(struct vm_map *, const void *const *keys,
                         unsigned n, void **values);

    /* Versioned lookup, for kinds with VM_MAP_CAP_VLOOKUP. */
    void *(*vlookup)(struct vm_map *, const void *key, uint64_t version);

    /* The same in steps, for kinds with VM_MAP_CAP_VSTEPS: vstart(), then
     * vnext() 'n_vsteps' times, each with the cookie of the step before, then
     * vend().  Each step prefetches what the next one reads.  A wrong cookie
     * can only miss. */
    unsigned n_vsteps;
    uint64_t (*vstart)(struct vm_map *, const void *key);
    uint64_t (*vnext)(struct vm_map *, const void *key, uint64_t cookie);
    void *(*vend)(struct vm_map *, const void *key, uint64_t version,
                  uint64_t cookie);

    /* The owner's side; NULL: lookup and copy, update.  A per-CPU kind and a
     * kind whose values are not plain bytes have their own. */
    int (*read)(struct vm_map *, const void *key, void *value);
    int (*write)(struct vm_map *, const void *key, const void *value,
                 uint64_t flags);

    /* The key after 'key' (NULL, or one that is gone: the first) to 'next';
     * -ENOENT after the last. */
    int (*next_key)(struct vm_map *, const void *key, void *next);

    /* Bytes of memory that the map takes now. */
    size_t (*memory)(const struct vm_map *);
    /* Entries in it now. */
    size_t (*count)(const struct vm_map *);

    /* Address of the only value, for VM_MAP_CAP_DIRECT. */
    void *(*direct)(struct vm_map *);
};

/* Head of every map.  Constant after creation but for 'refs', and for 'flags'
 * until a program uses it (vm_map_freeze()). */
struct vm_map {
    const struct vm_map_ops *ops;
    uint32_t key_size;
    uint32_t value_size;
    uint32_t max_entries;
    uint32_t flags;
    _Atomic unsigned int refs;
    struct vm_map *inner;       /* Map of maps: owned reference. */
    char name[32];
};

/* Programs write neither these maps nor their values: what a map for
 * redirects leads to is the owner's to say, as in Linux. */
static inline bool
vm_map_is_constant(const struct vm_map *map)
{
    return map->flags & VM_MF_RDONLY_PROG
           || map->ops->caps & VM_MAP_CAP_REDIRECT;
}

/* Operations of all kinds. */
#define VM_MAP(ID, NUMBER)                                        \
    extern const struct vm_map_ops vm_map_ops_##ID;
#include "vm/maps/maps.def"

/* Operations of the kind of that number or name, or NULL. */
const struct vm_map_ops *vm_map_ops_by_number(uint32_t number);
const struct vm_map_ops *vm_map_ops_by_name(const char *name);

int vm_map_create(const struct vm_map_attr *, struct vm_map **,
                  struct vm_err *);
struct vm_map *vm_map_ref(struct vm_map *);
void vm_map_unref(struct vm_map *);     /* NULL is fine. */

/* A program's side, on the calling thread's CPU.  What the kind cannot do is
 * -ENOTSUP (NULL for a lookup). */
void *vm_map_lookup(struct vm_map *, const void *key);
int vm_map_update(struct vm_map *, const void *key, const void *value,
                  uint64_t flags);
int vm_map_delete(struct vm_map *, const void *key);

/* Lookups of 'n' keys at a time, for a worker with a burst of packets: each
 * waits for memory together with the others.  'values' are what lookups would
 * return. */
#define VM_MAP_BURST 32         /* As many at a time, if that helps. */
void vm_map_lookup_burst(struct vm_map *, const void *const *keys,
                         unsigned n, void **values);

/* The owner's side. */
int vm_map_read(struct vm_map *, const void *key, void *value);
int vm_map_write(struct vm_map *, const void *key, const void *value,
                 uint64_t flags);
/* No vm_map_write() from now on (-EPERM), before a program uses the map.
 * What it contains is constant if programs cannot write either
 * (VM_MF_RDONLY_PROG), and the verifier knows it. */
void vm_map_freeze(struct vm_map *);
int vm_map_next_key(struct vm_map *, const void *key, void *next);
size_t vm_map_memory(const struct vm_map *);
size_t vm_map_count(const struct vm_map *);
/* Bytes of a value in vm_map_read() and vm_map_write(). */
size_t vm_map_owner_value_size(const struct vm_map *);

/* ## CPUs.  A "CPU" is a thread that runs programs: the daemon numbers its
 * workers 0, 1, ... and says how many there may be before it makes the first
 * per-CPU map. */
#define VM_MAX_CPUS 128
extern unsigned vm_n_cpus;              /* Default 1. */
extern _Thread_local unsigned vm_cpu_;  /* Default 0. */

static inline unsigned
vm_cpu(void)
{
    return vm_cpu_;
}

void vm_set_cpu(unsigned cpu);          /* cpu < vm_n_cpus. */
void vm_set_n_cpus(unsigned n);         /* 1 to VM_MAX_CPUS. */

/* What a thread does while it waits for another one's few instructions. */
static inline void
vm_pause(void)
{
#if defined(__x86_64__)
    __builtin_ia32_pause();
#elif defined(__aarch64__)
    __asm__ volatile("yield");
#endif
}

/* ## Deferred frees.  vm_defer() hands 'fn' to the hook, which calls
 * fn(aux) when every thread that may run programs has been quiescent.
 *
 * Without a hook the calls are kept in a list that vm_defer_run() executes:
 * for single-threaded programs and tests, which call it where no program is
 * running and no looked-up value is in use. */
typedef void vm_defer_hook(void (*fn)(void *), void *aux);
void vm_set_defer(vm_defer_hook *);     /* NULL: back to the list. */
void vm_defer(void (*fn)(void *), void *aux);
void vm_defer_run(void);

/* ## Memory.  Zeroed; NULL when there is none.  2 MB and more lies on huge
 * pages where the system has them.  'size' must be given back to the free. */
void *vm_big_alloc(size_t size);
void vm_big_free(void *, size_t size);

/* The hook behind them (an allocator of a NUMA node, say); both or none. */
void vm_set_big_alloc(void *(*alloc)(size_t), void (*free)(void *, size_t));

/* ## Hash.  Seeded, not linear: multiplies of 64 by 64 to 128 bits.  The
 * seed is taken from the system's random source once a process. */
uint64_t vm_hash_seed(void);
/* For programs that shall do the same each time, and that nobody attacks:
 * before the first map is made. */
void vm_hash_set_seed(uint64_t);
uint64_t vm_hash_bytes(const void *, size_t n, uint64_t seed);

static inline uint64_t
vm_hash_mix(uint64_t a, uint64_t b)
{
    __extension__ unsigned __int128 m = (unsigned __int128) a * b;

    return (uint64_t) m ^ (uint64_t) (m >> 64);
}

/* What vm_hash_bytes() makes of a seed and a size before it looks at a key.
 * Every factor depends on the seed: a constant that is known would let an
 * attacker choose a word that makes it 0, and with it the product. */
static inline uint64_t
vm_hash_start(size_t n, uint64_t seed)
{
    return seed ^ n * UINT64_C(0xa0761d6478bd642f);
}

static inline uint64_t
vm_hash_mask(uint64_t seed)
{
    return (seed * UINT64_C(0xe7037ed1a0b428db)
            + UINT64_C(0x9e3779b97f4a7c15));
}

/* The 'n' bytes at 'p', 0 to 8, as a word padded with 0s: bytes may be read
 * twice, but none that is not the key's. */
static inline uint64_t
vm_hash_word(const uint8_t *p, size_t n)
{
    uint64_t word = 0;
    uint32_t low, high;

    if (n >= 8) {
        __builtin_memcpy(&word, p, 8);
    } else if (n >= 4) {
        __builtin_memcpy(&low, p, 4);
        __builtin_memcpy(&high, p + n - 4, 4);
        word = low | (uint64_t) high << 8 * (n - 4);
    } else if (n) {
        word = (p[0] | (uint64_t) p[n / 2] << 8 * (n / 2)
                | (uint64_t) p[n - 1] << 8 * (n - 1));
    }
    return word;
}

/* vm_hash_bytes() with those two at hand, which JITs may inline: one multiply
 * for each 16 bytes of key (words 'a' and 'b', little-endian on all our
 * machines), and one for what is left, 0 to 15 bytes, padded with 0s. */
static inline uint64_t
vm_hash_fixed(const void *key, size_t n, uint64_t start, uint64_t mask)
{
    const uint8_t *p = (const uint8_t *) key;
    uint64_t h = start, a, b;

    for (; n >= 16; n -= 16, p += 16) {
        __builtin_memcpy(&a, p, 8);
        __builtin_memcpy(&b, p + 8, 8);
        h = vm_hash_mix(a ^ mask, b ^ h);
    }
    a = vm_hash_word(p, n);
    b = n > 8 ? vm_hash_word(p + 8, n - 8) : 0;
    return vm_hash_mix(a ^ ~mask, b ^ h);
}

#endif /* vm/map.h */
