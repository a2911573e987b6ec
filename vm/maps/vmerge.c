/* SPDX-License-Identifier: Apache-2.0 */
#include "vm/maps/vmerge.h"

#include <errno.h>
#include <stdlib.h>
#include <string.h>

#include "vm/maps/vtable-internal.h"

enum {
    MIN_BUCKETS = 16,
    MAX_ALIKE = 6               /* Entries with one hash in a table. */
};

/* An entry in a bucket. */
struct node {
    struct node *_Atomic next;  /* By descending priority. */
    struct vm_ventry *entry;
    uint32_t hash;
    int32_t priority;
};

struct buckets {
    size_t mask;                /* Number minus 1. */
    struct node *_Atomic heads[];
};

/* Entries whose masks have all bits of 'words'. */
struct table {
    struct buckets *_Atomic buckets;
    uint64_t seed[2];
    size_t n_entries;           /* Writer's. */
    uint32_t n_words;
    struct vm_vword words[];
};

/* What readers see; replaced as a whole. */
struct table_list {
    size_t n;
    struct row {
        struct table *table;
        _Atomic int32_t max_priority;   /* Never below the true maximum. */
    } rows[];
};

struct vmerge {
    struct vm_map map;          /* map.inner: the vtuples map. */
    struct table_list *_Atomic list;
    size_t n_entries, longest;
};

static struct vmerge *
vmerge_cast(const struct vm_map *map)
{
    return (struct vmerge *) map;
}

static struct table_list *
list_of(const struct vmerge *m)
{
    return atomic_load_explicit(&m->list, memory_order_acquire);
}

static struct buckets *
buckets_of(const struct table *t)
{
    return atomic_load_explicit(&t->buckets, memory_order_acquire);
}

static struct node *
next_of(struct node *_Atomic *link)
{
    return atomic_load_explicit(link, memory_order_acquire);
}

static void
set_link(struct node *_Atomic *link, struct node *node)
{
    atomic_store_explicit(link, node, memory_order_release);
}

static inline uint32_t
hash_of(const struct table *t, const uint64_t *key)
{
    uint64_t h = t->seed[0];

    for (uint32_t i = 0; i < t->n_words; i++) {
        const struct vm_vword *w = &t->words[i];

        h = vm_hash_mix(vm_vkey_masked(key, w) ^ t->seed[1], h);
    }
    return h ^ h >> 32;
}

/* ## Readers. */

static void *
vmerge_vlookup(struct vm_map *map, const void *key, uint64_t version)
{
    const struct table_list *list = list_of(vmerge_cast(map));
    struct vm_ventry *best = NULL;
    int32_t priority = INT32_MIN;

    for (size_t i = 0; i < list->n; i++) {
        const struct row *row = &list->rows[i];

        if (best && priority >= atomic_load_explicit(&row->max_priority,
                                                     memory_order_acquire)) {
            break;
        }

        uint32_t h = hash_of(row->table, key);
        struct buckets *b = buckets_of(row->table);

        for (struct node *n = next_of(&b->heads[h & b->mask]);
             n && (!best || n->priority > priority); n = next_of(&n->next)) {
            if (n->hash == h && vm_ventry_visible(n->entry, version)
                && vm_vtab_match(n->entry->tab, n->entry, key)) {
                best = n->entry;
                priority = n->priority;
                break;
            }
        }
    }
    return best ? &best->value : NULL;
}

/* ## Buckets, for the writer. */

static size_t
buckets_bytes(size_t n)
{
    return sizeof(struct buckets) + n * sizeof(struct node *);
}

static struct buckets *
buckets_new(size_t n)
{
    struct buckets *b = vm_big_alloc(buckets_bytes(n));

    if (b) {
        b->mask = n - 1;
    }
    return b;
}

/* With its nodes. */
static void
buckets_free(void *b_)
{
    struct buckets *b = b_;

    for (size_t i = 0; i <= b->mask; i++) {
        for (struct node *n = next_of(&b->heads[i]); n;) {
            struct node *next = next_of(&n->next);

            free(n);
            n = next;
        }
    }
    vm_big_free(b, buckets_bytes(b->mask + 1));
}

/* Puts 'n', which no reader sees yet, into its bucket: before equals. */
static void
add_node(struct buckets *b, struct node *n)
{
    struct node *_Atomic *link = &b->heads[n->hash & b->mask];
    struct node *next;

    while ((next = next_of(link)) && next->priority > n->priority) {
        link = &next->next;
    }
    set_link(&n->next, next);
    set_link(link, n);
}

/* Copies all to twice as many buckets: readers are in the old ones. */
static int
grow(struct table *t)
{
    struct buckets *old = buckets_of(t);
    struct buckets *new = buckets_new((old->mask + 1) * 2);

    if (!new) {
        return -ENOMEM;
    }
    for (size_t i = 0; i <= old->mask; i++) {
        for (struct node *n = next_of(&old->heads[i]); n;
             n = next_of(&n->next)) {
            struct node *copy = malloc(sizeof *copy);

            if (!copy) {
                buckets_free(new);
                return -ENOMEM;
            }
            copy->entry = n->entry;
            copy->hash = n->hash;
            copy->priority = n->priority;
            add_node(new, copy);
        }
    }
    atomic_store_explicit(&t->buckets, new, memory_order_release);
    vm_defer(buckets_free, old);
    return 0;
}

/* ## Tables, for the writer. */

static struct table *
table_new(const uint64_t *mask, size_t n)
{
    uint32_t n_words = 0;

    for (size_t i = 0; i < n; i++) {
        n_words += mask[i] != 0;
    }

    struct table *t = calloc(1, sizeof *t + n_words * sizeof t->words[0]);
    struct buckets *b = t ? buckets_new(MIN_BUCKETS) : NULL;
    if (!b) {
        free(t);
        return NULL;
    }
    atomic_init(&t->buckets, b);
    t->seed[0] = vm_hash_seed();
    t->seed[1] = vm_hash_mix(t->seed[0], UINT64_C(0xe7037ed1a0b428db));
    for (size_t i = 0; i < n; i++) {
        if (mask[i]) {
            t->words[t->n_words].mask = mask[i];
            t->words[t->n_words++].index = i;
        }
    }
    return t;
}

static void
table_free(void *t_)
{
    struct table *t = t_;

    buckets_free(buckets_of(t));
    free(t);
}

/* Whether 'mask' has all bits of the table's; how many these are. */
static bool
takes_mask(const struct table *t, const uint64_t *mask, int *n_bits)
{
    *n_bits = 0;
    for (uint32_t i = 0; i < t->n_words; i++) {
        if (t->words[i].mask & ~mask[t->words[i].index]) {
            return false;
        }
        *n_bits += __builtin_popcountll(t->words[i].mask);
    }
    return true;
}

/* Whether it is the table of exactly 'mask', of 'n' words. */
static bool
has_mask(const struct table *t, const uint64_t *mask, size_t n)
{
    uint32_t n_words = 0;

    for (size_t i = 0; i < n; i++) {
        n_words += mask[i] != 0;
    }
    for (uint32_t i = 0; i < t->n_words; i++) {
        if (t->words[i].mask != mask[t->words[i].index]) {
            return false;
        }
    }
    return n_words == t->n_words;
}

/* Entries that a lookup of 'key' would compare. */
static size_t
n_alike(const struct table *t, const uint64_t *key)
{
    struct buckets *b = buckets_of(t);
    uint32_t h = hash_of(t, key);
    size_t n = 0;

    for (struct node *i = next_of(&b->heads[h & b->mask]); i;
         i = next_of(&i->next)) {
        n += i->hash == h;
    }
    return n;
}

/* ## The list, for the writer. */

static int32_t
row_priority(const struct table_list *list, size_t i)
{
    return atomic_load_explicit(&list->rows[i].max_priority,
                                memory_order_relaxed);
}

static void
put_row(struct table_list *list, struct table *t, int32_t priority)
{
    list->rows[list->n].table = t;
    atomic_init(&list->rows[list->n++].max_priority, priority);
}

/* Publishes the list without 'gone' and with 't' (either may be NULL), whose
 * maximum is 'priority', where it belongs. */
static int
relist(struct vmerge *m, const struct table *gone, struct table *t,
       int32_t priority)
{
    struct table_list *old = list_of(m);
    struct table_list *new = malloc(sizeof *new
                                    + (old->n + 1) * sizeof new->rows[0]);

    if (!new) {
        return -ENOMEM;
    }
    new->n = 0;
    for (size_t i = 0; i < old->n; i++) {
        if (t && row_priority(old, i) < priority) {
            put_row(new, t, priority);
            t = NULL;
        }
        if (old->rows[i].table != gone) {
            put_row(new, old->rows[i].table, row_priority(old, i));
        }
    }
    if (t) {
        put_row(new, t, priority);
    }
    atomic_store_explicit(&m->list, new, memory_order_release);
    vm_defer(free, old);
    return 0;
}

/* Makes the maximum of 't' at least 'priority', before an entry that has it
 * can be seen. */
static int
raise_max(struct vmerge *m, struct table *t, int32_t priority)
{
    const struct table_list *list = list_of(m);
    size_t i = 0;

    while (list->rows[i].table != t) {
        i++;
    }
    return row_priority(list, i) >= priority ? 0 : relist(m, t, t, priority);
}

/* The table with the most bits in which 'key' under 'mask' meets few others,
 * or NULL. */
static struct table *
find_table(const struct vmerge *m, const uint64_t *mask, const uint64_t *key)
{
    const struct table_list *list = list_of(m);
    struct table *best = NULL;
    int most = -1;

    for (size_t i = 0; i < list->n; i++) {
        struct table *t = list->rows[i].table;
        int n_bits;

        if (takes_mask(t, mask, &n_bits) && n_bits > most
            && n_alike(t, key) < MAX_ALIKE) {
            most = n_bits;
            best = t;
        }
    }
    return best;
}

static struct table *
table_of_mask(const struct vmerge *m, const uint64_t *mask)
{
    const struct table_list *list = list_of(m);

    for (size_t i = 0; i < list->n; i++) {
        if (has_mask(list->rows[i].table, mask, m->map.key_size / 8)) {
            return list->rows[i].table;
        }
    }
    return NULL;
}

static struct table *
add_table(struct vmerge *m, const uint64_t *mask, int32_t priority)
{
    struct table *t = table_new(mask, m->map.key_size / 8);

    if (t && relist(m, NULL, t, priority)) {
        table_free(t);
        t = NULL;
    }
    return t;
}

/* The table for an entry; NULL without memory. */
static struct table *
get_table(struct vmerge *m, const uint64_t *mask, const uint64_t *key,
          const uint64_t *coarse, int32_t priority)
{
    struct table *t = find_table(m, mask, key);
    uint64_t common[VM_VKEY_MAX_WORDS];

    if (t) {
        return t;
    }
    for (size_t i = 0; i < m->map.key_size / 8; i++) {
        common[i] = mask[i] & coarse[i];
    }
    if (!table_of_mask(m, common)) {
        return add_table(m, common, priority);
    }
    t = table_of_mask(m, mask);
    return t ? t : add_table(m, mask, priority);
}

int
vm_vmerge_insert(struct vm_map *map, struct vm_ventry *e,
                 const uint64_t *coarse)
{
    uint64_t key[VM_VKEY_MAX_WORDS], mask[VM_VKEY_MAX_WORDS];
    struct vmerge *m = vmerge_cast(map);
    struct node *n = malloc(sizeof *n);

    vm_ventry_key(map, e, key, mask);
    struct table *t = get_table(m, mask, key, coarse, e->priority);
    if (!n || !t || raise_max(m, t, e->priority)
        || (t->n_entries > buckets_of(t)->mask && grow(t))) {
        free(n);
        return -ENOMEM;
    }
    n->entry = e;
    n->priority = e->priority;
    n->hash = hash_of(t, key);
    add_node(buckets_of(t), n);
    t->n_entries++;
    m->n_entries++;

    size_t alike = n_alike(t, key);
    m->longest = alike > m->longest ? alike : m->longest;
    return 0;
}

/* Takes 'e' out of 't' if it is there. */
static bool
remove_node(struct table *t, const struct vm_ventry *e, const uint64_t *key)
{
    struct buckets *b = buckets_of(t);
    struct node *_Atomic *link = &b->heads[hash_of(t, key) & b->mask];
    struct node *n;

    for (; (n = next_of(link)); link = &n->next) {
        if (n->entry == e) {
            set_link(link, next_of(&n->next));
            vm_defer(free, n);
            t->n_entries--;
            return true;
        }
    }
    return false;
}

void
vm_vmerge_delete(struct vm_map *map, struct vm_ventry *e)
{
    uint64_t key[VM_VKEY_MAX_WORDS], mask[VM_VKEY_MAX_WORDS];
    struct vmerge *m = vmerge_cast(map);
    const struct table_list *list = list_of(m);

    vm_ventry_key(map, e, key, mask);
    for (size_t i = 0; i < list->n; i++) {
        struct table *t = list->rows[i].table;
        int n_bits;

        if (takes_mask(t, mask, &n_bits) && remove_node(t, e, key)) {
            m->n_entries--;
            if (!t->n_entries && !relist(m, t, NULL, 0)) {
                vm_defer(table_free, t);
            }
            return;
        }
    }
}

/* ## The map. */

static int
vmerge_create(const struct vm_map_attr *attr, struct vm_map **mapp,
              struct vm_err *err)
{
    const struct vm_map *inner = attr->inner;
    struct vmerge *m;

    if (!inner || inner->ops != &vm_map_ops_vtuples || attr->flags
        || inner->key_size != attr->key_size || attr->value_size != 8
        || attr->max_entries) {
        return vm_err(err, -EINVAL, "map %s: a vmerge map needs a vtuples map "
                      "with the same keys and values, no size and no flags",
                      attr->name ? attr->name : "");
    }
    m = calloc(1, sizeof *m);
    if (m) {
        atomic_init(&m->list, calloc(1, sizeof(struct table_list)));
    }
    if (!m || !list_of(m)) {
        free(m);
        return vm_err(err, -ENOMEM, "no memory for merged tuples");
    }
    *mapp = &m->map;
    return 0;
}

static void
vmerge_destroy(struct vm_map *map)
{
    struct table_list *list = list_of(vmerge_cast(map));

    for (size_t i = 0; i < list->n; i++) {
        table_free(list->rows[i].table);
    }
    free(list);
    free(map);
}

static size_t
vmerge_memory(const struct vm_map *map)
{
    const struct vmerge *m = vmerge_cast(map);
    const struct table_list *list = list_of(m);
    size_t n = (sizeof *m + sizeof *list + list->n * sizeof list->rows[0]
                + m->n_entries * sizeof(struct node));

    for (size_t i = 0; i < list->n; i++) {
        n += (sizeof(struct table)
              + buckets_bytes(buckets_of(list->rows[i].table)->mask + 1));
    }
    return n;
}

static size_t
vmerge_count(const struct vm_map *map)
{
    return vmerge_cast(map)->n_entries;
}

size_t
vm_vmerge_n_tables(const struct vm_map *map)
{
    return list_of(vmerge_cast(map))->n;
}

size_t
vm_vmerge_longest(const struct vm_map *map)
{
    return vmerge_cast(map)->longest;
}

const struct vm_map_ops vm_map_ops_vmerge = {
    .name = "vmerge",
    .number = VM_MAP_vmerge,
    .caps = VM_MAP_CAP_VLOOKUP,
    .create = vmerge_create,
    .destroy = vmerge_destroy,
    .vlookup = vmerge_vlookup,
    .memory = vmerge_memory,
    .count = vmerge_count,
};
