/* SPDX-License-Identifier: Apache-2.0 */

#include <config.h>
#include "ofproto/fdb.h"

#include <errno.h>
#include <string.h>
#include "openvswitch/poll-loop.h"
#include "openvswitch/vlog.h"
#include "ovs-atomic.h"
#include "timeval.h"
#include "util.h"
#include "vm/err.h"
#include "vm/map.h"

VLOG_DEFINE_THIS_MODULE(of_fdb);

struct fdb_key {
    uint16_t vlan;
    struct eth_addr mac;
};
BUILD_ASSERT_DECL(sizeof(struct fdb_key) == 8);

static struct vm_map *
fdb_map(const struct of_fdb *fdb)
{
    struct vm_map *map;

    atomic_read_explicit(&CONST_CAST(struct of_fdb *, fdb)->map, &map,
                         memory_order_acquire);
    return map;
}

/* A mirror with room for 'n' addresses, or null. */
static struct vm_map *
mirror_create(size_t n)
{
    struct vm_map_attr attr = {
        .kind = VM_MAP_hash,
        .key_size = sizeof(struct fdb_key),
        .value_size = sizeof(struct of_fdb_entry),
        .max_entries = n,
        .flags = VM_MF_NO_PREALLOC,
        .name = "fdb",
    };
    struct vm_err err;
    struct vm_map *map;

    memset(&err, 0, sizeof err);
    return vm_map_create(&attr, &map, &err) ? NULL : map;
}

/* Writes what the table says of 'e' into 'map'. */
static void
mirror_put(struct vm_map *map, const struct mac_entry *e, ofp_port_t port,
           uint64_t used)
{
    struct fdb_key key = { .vlan = e->vlan, .mac = e->mac };
    struct of_fdb_entry value = {
        .port = ofp_to_u16(port),
        .is_static = e->expires == MAC_ENTRY_AGE_STATIC_ENTRY,
        .locked_until = e->grat_arp_lock,
        .used = used,
    };
    int error = vm_map_update(map, &key, &value, VM_ANY);

    if (error) {
        static struct vlog_rate_limit rl = VLOG_RATE_LIMIT_INIT(1, 5);

        /* Its packets flood; the next one is another attempt. */
        VLOG_WARN_RL(&rl, "no room for "ETH_ADDR_FMT" (%s)",
                     ETH_ADDR_ARGS(e->mac), ovs_strerror(-error));
    }
}

/* Removes 'e' from the table and the mirror. */
static void
fdb_remove(struct of_fdb *fdb, struct mac_entry *e)
{
    struct fdb_key key = { .vlan = e->vlan, .mac = e->mac };

    if (e->expires == MAC_ENTRY_AGE_STATIC_ENTRY) {
        fdb->ml->static_entries--;
    }
    vm_map_delete(fdb_map(fdb), &key);
    mac_learning_expire(fdb->ml, e);
}

int
of_fdb_create(struct of_fdb **fdbp)
{
    struct of_fdb *fdb = xzalloc(sizeof *fdb);
    struct vm_map *map = mirror_create(MAC_DEFAULT_MAX);

    *fdbp = NULL;
    if (!map) {
        free(fdb);
        return ENOMEM;
    }
    atomic_init(&fdb->map, map);
    fdb->ml = mac_learning_create(MAC_ENTRY_DEFAULT_IDLE_TIME);
    *fdbp = fdb;
    return 0;
}

void
of_fdb_destroy(struct of_fdb *fdb)
{
    if (fdb) {
        vm_map_unref(fdb_map(fdb));
        mac_learning_unref(fdb->ml);
        free(fdb);
    }
}

/* What workers do. */

struct of_fdb_entry *
of_fdb_peek(const struct of_fdb *fdb, struct eth_addr mac, uint16_t vlan)
{
    struct fdb_key key = { .vlan = vlan, .mac = mac };

    return vm_map_lookup(fdb_map(fdb), &key);
}

void
of_fdb_touch(struct of_fdb_entry *entry, time_t now)
{
    uint64_t used;

    atomic_read_relaxed(&entry->used, &used);
    if (used != (uint64_t) now) {
        atomic_store_explicit(&entry->used, now, memory_order_relaxed);
    }
}

/* Learning. */

/* If one more address does not fit, evicts the one that
 * mac_learning_insert() would: the least recently used one of the owner that
 * has most.  (It would not tell us which.) */
static void
make_room(struct of_fdb *fdb, struct eth_addr mac, uint16_t vlan)
{
    struct mac_learning *ml = fdb->ml;

    if (hmap_count(&ml->table) >= ml->max_entries
        && !mac_learning_lookup(ml, mac, vlan)
        && !heap_is_empty(&ml->ports_by_usage)) {
        struct mac_learning_port *mlport = CONTAINER_OF(
            heap_max(&ml->ports_by_usage), struct mac_learning_port,
            heap_node);

        ml->total_evicted++;
        fdb_remove(fdb, CONTAINER_OF(ovs_list_front(&mlport->port_lrus),
                                     struct mac_entry, port_lru_node));
    }
}

void
of_fdb_learn(struct of_fdb *fdb, const struct of_fdb_source *src)
{
    struct mac_learning *ml = fdb->ml;
    struct mac_entry *e;

    if (!mac_learning_may_learn(ml, src->mac, src->vlan)) {
        return;
    }
    make_room(fdb, src->mac, src->vlan);
    mac_learning_update(ml, src->mac, src->vlan, src->gratuitous_arp,
                        src->is_bond, src->owner);
    e = mac_learning_lookup(ml, src->mac, src->vlan);
    if (e && mac_entry_get_port(ml, e) == src->owner) {
        mirror_put(fdb_map(fdb), e, src->port, time_now());
    }
}

void
of_fdb_move(struct of_fdb *fdb, const void *old, void *new, ofp_port_t port)
{
    struct mac_entry *e;

    LIST_FOR_EACH_SAFE (e, lru_node, &fdb->ml->lrus) {
        if (mac_entry_get_port(fdb->ml, e) == old) {
            mac_entry_set_port(fdb->ml, e, new);
            mirror_put(fdb_map(fdb), e, port, time_now());
        }
    }
}

void *
of_fdb_lookup(const struct of_fdb *fdb, struct eth_addr mac, uint16_t vlan)
{
    struct mac_entry *e = mac_learning_lookup(fdb->ml, mac, vlan);

    return e ? mac_entry_get_port(fdb->ml, e) : NULL;
}

void
of_fdb_add_static(struct of_fdb *fdb, const struct of_fdb_source *src)
{
    struct mac_entry *e;

    make_room(fdb, src->mac, src->vlan);
    mac_learning_add_static_entry(fdb->ml, src->mac, src->vlan, src->owner);
    e = mac_learning_lookup(fdb->ml, src->mac, src->vlan);
    if (e) {
        mirror_put(fdb_map(fdb), e, src->port, time_now());
    }
}

bool
of_fdb_del_static(struct of_fdb *fdb, struct eth_addr mac, uint16_t vlan)
{
    struct mac_entry *e = mac_learning_lookup(fdb->ml, mac, vlan);

    if (!e || e->expires != MAC_ENTRY_AGE_STATIC_ENTRY) {
        return false;
    }
    fdb_remove(fdb, e);
    return true;
}

void
of_fdb_flush(struct of_fdb *fdb)
{
    struct mac_entry *e;

    LIST_FOR_EACH_SAFE (e, lru_node, &fdb->ml->lrus) {
        if (e->expires != MAC_ENTRY_AGE_STATIC_ENTRY) {
            fdb_remove(fdb, e);
        }
    }
}

void
of_fdb_flush_owner(struct of_fdb *fdb, const void *owner)
{
    struct mac_entry *e;

    LIST_FOR_EACH_SAFE (e, lru_node, &fdb->ml->lrus) {
        if (mac_entry_get_port(fdb->ml, e) == owner) {
            fdb_remove(fdb, e);
        }
    }
}

void
of_fdb_forget(struct of_fdb *fdb, struct eth_addr mac, uint16_t vlan)
{
    struct mac_entry *e = mac_learning_lookup(fdb->ml, mac, vlan);

    if (e) {
        fdb_remove(fdb, e);
    }
}

/* Configuration. */

void
of_fdb_set_idle_time(struct of_fdb *fdb, unsigned int idle_time)
{
    mac_learning_set_idle_time(fdb->ml, idle_time);
}

void
of_fdb_set_max_entries(struct of_fdb *fdb, size_t max_entries)
{
    struct vm_map *old = fdb_map(fdb);
    struct vm_map *new;
    struct mac_entry *e;

    mac_learning_set_max_entries(fdb->ml, max_entries);
    if (fdb->ml->max_entries == old->max_entries) {
        return;
    }

    /* While there are more addresses than allowed, of_fdb_run() has not yet
     * removed them. */
    new = mirror_create(MAX(fdb->ml->max_entries,
                            hmap_count(&fdb->ml->table)));
    if (!new) {
        VLOG_ERR("no memory for a table of %"PRIuSIZE" MAC addresses",
                 fdb->ml->max_entries);
        mac_learning_set_max_entries(fdb->ml, old->max_entries);
        return;
    }
    LIST_FOR_EACH (e, lru_node, &fdb->ml->lrus) {
        struct of_fdb_entry *entry = of_fdb_peek(fdb, e->mac, e->vlan);

        if (entry) {
            mirror_put(new, e, u16_to_ofp(entry->port), entry->used);
        }
    }
    atomic_store_explicit(&fdb->map, new, memory_order_release);
    vm_map_unref(old);
}

void
of_fdb_set_flood_vlans(struct of_fdb *fdb, const unsigned long *bitmap)
{
    if (mac_learning_set_flood_vlans(fdb->ml, bitmap)) {
        of_fdb_flush(fdb);
    }
}

/* Aging. */

/* If a worker has seen 'e' since it was put into its place in the table's
 * order, moves it to where it belongs now and returns true. */
static bool
refresh(struct of_fdb *fdb, struct mac_entry *e)
{
    const struct of_fdb_entry *entry = of_fdb_peek(fdb, e->mac, e->vlan);
    struct ovs_list *before;
    time_t expires;

    if (!entry || e->expires == MAC_ENTRY_AGE_STATIC_ENTRY) {
        return false;
    }
    expires = (time_t) entry->used + (time_t) fdb->ml->idle_time;
    if (expires <= e->expires) {
        return false;
    }

    e->expires = expires;
    ovs_list_remove(&e->lru_node);
    for (before = &fdb->ml->lrus; before->prev != &fdb->ml->lrus;
         before = before->prev) {
        const struct mac_entry *prev = CONTAINER_OF(before->prev,
                                                    struct mac_entry,
                                                    lru_node);

        if (prev->expires != MAC_ENTRY_AGE_STATIC_ENTRY
            && prev->expires <= expires) {
            break;
        }
    }
    ovs_list_insert(before, &e->lru_node);
    if (e->mlport) {
        ovs_list_remove(&e->port_lru_node);
        ovs_list_push_back(&e->mlport->port_lrus, &e->port_lru_node);
    }
    return true;
}

void
of_fdb_harvest(struct of_fdb *fdb)
{
    struct mac_entry *e;

    LIST_FOR_EACH_SAFE (e, lru_node, &fdb->ml->lrus) {
        refresh(fdb, e);
    }
}

void
of_fdb_run(struct of_fdb *fdb)
{
    struct mac_learning *ml = fdb->ml;
    time_t now = time_now();
    struct mac_entry *e;

    LIST_FOR_EACH_SAFE (e, lru_node, &ml->lrus) {
        bool too_many = hmap_count(&ml->table) > ml->max_entries;

        if (e->expires == MAC_ENTRY_AGE_STATIC_ENTRY) {
            continue;
        }
        if (!too_many && now < e->expires) {
            break;
        }
        if (too_many || !refresh(fdb, e) || now >= e->expires) {
            ml->total_expired++;
            fdb_remove(fdb, e);
        }
    }
    ml->need_revalidate = false;
}

void
of_fdb_wait(struct of_fdb *fdb)
{
    const struct mac_entry *e;

    if (hmap_count(&fdb->ml->table) > fdb->ml->max_entries) {
        poll_immediate_wake();
        return;
    }
    LIST_FOR_EACH (e, lru_node, &fdb->ml->lrus) {
        if (e->expires != MAC_ENTRY_AGE_STATIC_ENTRY) {
            poll_timer_wait_until(e->expires * 1000LL);
            break;
        }
    }
}
