/* SPDX-License-Identifier: Apache-2.0 */

/* The FDB: libopenvswitch's table and the mirror that workers read always say
 * the same, whatever is learned, moved, evicted, aged or flushed. */

#include <stdarg.h>
#include <stddef.h>
#include <stdint.h>
#include <setjmp.h>
#include <string.h>
#include <cmocka.h>
#include "bitmap.h"
#include "random.h"
#include "timeval.h"
#include "util.h"
#include "vm/map.h"
#include "ofproto/fdb.h"

static int owners[8];           /* Their addresses are what counts. */

static struct of_fdb_source
source(uint64_t mac, uint16_t vlan, int port)
{
    struct of_fdb_source src = {
        .vlan = vlan,
        .owner = &owners[port],
        .port = u16_to_ofp(port),
    };

    eth_addr_from_uint64(0x020000000000 | mac, &src.mac);
    return src;
}

static void
learn(struct of_fdb *fdb, uint64_t mac, uint16_t vlan, int port)
{
    struct of_fdb_source src = source(mac, vlan, port);

    of_fdb_learn(fdb, &src);
}

/* The port that the mirror has, or -1; fails if the table says otherwise. */
static int
lookup(const struct of_fdb *fdb, uint64_t mac, uint16_t vlan)
{
    struct of_fdb_source src = source(mac, vlan, 0);
    const struct of_fdb_entry *e = of_fdb_peek(fdb, src.mac, vlan);
    const int *owner = of_fdb_lookup(fdb, src.mac, vlan);

    assert_int_equal(e ? (int) e->port : -1,
                     owner ? (int) (owner - owners) : -1);
    return e ? (int) e->port : -1;
}

static struct of_fdb *
create(void)
{
    struct of_fdb *fdb;

    assert_int_equal(of_fdb_create(&fdb), 0);
    return fdb;
}

/* Makes everything 'seconds' older. */
static void
pass(struct of_fdb *fdb, int seconds)
{
    struct mac_entry *e;

    LIST_FOR_EACH (e, lru_node, &fdb->ml->lrus) {
        of_fdb_peek(fdb, e->mac, e->vlan)->used -= seconds;
        if (e->expires != MAC_ENTRY_AGE_STATIC_ENTRY) {
            e->expires -= seconds;
        }
    }
}

static void
test_learn(void **state OVS_UNUSED)
{
    struct of_fdb *fdb = create();

    assert_int_equal(lookup(fdb, 1, 0), -1);
    learn(fdb, 1, 0, 3);
    assert_int_equal(lookup(fdb, 1, 0), 3);
    assert_int_equal(lookup(fdb, 1, 5), -1);
    learn(fdb, 1, 5, 4);
    learn(fdb, 1, 0, 2);
    assert_int_equal(lookup(fdb, 1, 0), 2);
    assert_int_equal(lookup(fdb, 1, 5), 4);
    assert_int_equal(fdb->ml->total_moved, 1);
    assert_int_equal(fdb->ml->total_learned, 2);

    of_fdb_flush_owner(fdb, &owners[2]);
    assert_int_equal(lookup(fdb, 1, 0), -1);
    assert_int_equal(lookup(fdb, 1, 5), 4);
    of_fdb_flush(fdb);
    assert_int_equal(lookup(fdb, 1, 5), -1);
    assert_int_equal(vm_map_count(fdb->map), 0);
    of_fdb_destroy(fdb);
    vm_defer_run();
}

static void
test_static(void **state OVS_UNUSED)
{
    struct of_fdb_source src = source(1, 0, 1);
    struct of_fdb *fdb = create();

    of_fdb_add_static(fdb, &src);
    learn(fdb, 1, 0, 2);
    assert_int_equal(lookup(fdb, 1, 0), 1);
    assert_int_equal(fdb->ml->static_entries, 1);
    of_fdb_flush(fdb);
    assert_int_equal(lookup(fdb, 1, 0), 1);
    assert_true(of_fdb_del_static(fdb, src.mac, 0));
    assert_false(of_fdb_del_static(fdb, src.mac, 0));
    assert_int_equal(lookup(fdb, 1, 0), -1);
    assert_int_equal(fdb->ml->static_entries, 0);
    of_fdb_destroy(fdb);
    vm_defer_run();
}

static void
test_flood_vlans(void **state OVS_UNUSED)
{
    unsigned long *bitmap = bitmap_allocate(4096);
    struct of_fdb *fdb = create();

    learn(fdb, 1, 7, 1);
    bitmap_set1(bitmap, 7);
    of_fdb_set_flood_vlans(fdb, bitmap);
    assert_int_equal(lookup(fdb, 1, 7), -1);
    learn(fdb, 1, 7, 1);
    learn(fdb, 1, 8, 1);
    assert_int_equal(lookup(fdb, 1, 7), -1);
    assert_int_equal(lookup(fdb, 1, 8), 1);
    bitmap_free(bitmap);
    of_fdb_destroy(fdb);
    vm_defer_run();
}

static void
test_age(void **state OVS_UNUSED)
{
    struct of_fdb_source src = source(1, 0, 1);
    struct of_fdb *fdb = create();

    of_fdb_set_idle_time(fdb, 20);
    learn(fdb, 1, 0, 1);
    learn(fdb, 2, 0, 1);
    learn(fdb, 3, 0, 2);
    pass(fdb, 15);
    of_fdb_run(fdb);
    assert_int_equal(vm_map_count(fdb->map), 3);

    /* A worker saw the first one. */
    of_fdb_touch(of_fdb_peek(fdb, src.mac, 0), time_now());
    pass(fdb, 10);
    of_fdb_run(fdb);
    assert_int_equal(lookup(fdb, 1, 0), 1);
    assert_int_equal(lookup(fdb, 2, 0), -1);
    assert_int_equal(lookup(fdb, 3, 0), -1);
    assert_int_equal(fdb->ml->total_expired, 2);
    of_fdb_harvest(fdb);
    assert_in_range(mac_entry_age(fdb->ml, mac_learning_lookup(fdb->ml,
                                                               src.mac, 0)),
                    9, 11);
    pass(fdb, 15);
    of_fdb_run(fdb);
    assert_int_equal(lookup(fdb, 1, 0), -1);
    of_fdb_destroy(fdb);
    vm_defer_run();
}

static void
test_full(void **state OVS_UNUSED)
{
    struct of_fdb *fdb = create();

    of_fdb_set_max_entries(fdb, 16);
    learn(fdb, 1000, 0, 1);
    for (int i = 0; i < 100; i++) {
        learn(fdb, i, 0, 2);
    }
    /* The port with most addresses loses its oldest ones. */
    assert_int_equal(vm_map_count(fdb->map), 16);
    assert_int_equal(lookup(fdb, 1000, 0), 1);
    assert_int_equal(lookup(fdb, 0, 0), -1);
    assert_int_equal(lookup(fdb, 84, 0), -1);
    assert_int_equal(lookup(fdb, 85, 0), 2);
    assert_int_equal(fdb->ml->total_evicted, 85);

    of_fdb_set_max_entries(fdb, 12);
    of_fdb_run(fdb);
    assert_int_equal(vm_map_count(fdb->map), 12);
    of_fdb_set_max_entries(fdb, 5000);
    assert_int_equal(vm_map_count(fdb->map), 12);
    assert_int_equal(lookup(fdb, 99, 0), 2);
    of_fdb_destroy(fdb);
    vm_defer_run();
}

static void
test_random(void **state OVS_UNUSED)
{
    struct of_fdb *fdb = create();

    random_set_seed(1);
    of_fdb_set_max_entries(fdb, 40);
    for (int i = 0; i < 20000; i++) {
        uint64_t mac = random_range(60);
        uint16_t vlan = random_range(2);
        int port = random_range(ARRAY_SIZE(owners));
        struct of_fdb_source src = source(mac, vlan, port);

        switch (random_range(40)) {
        case 0:
            of_fdb_add_static(fdb, &src);
            break;
        case 1:
        case 2:
            of_fdb_del_static(fdb, src.mac, vlan);
            break;
        case 3:
            of_fdb_flush_owner(fdb, src.owner);
            break;
        case 4:
            of_fdb_forget(fdb, src.mac, vlan);
            break;
        case 5:
            pass(fdb, 20);
            of_fdb_run(fdb);
            break;
        default:
            learn(fdb, mac, vlan, port);
            break;
        }
        for (mac = 0; mac < 60; mac++) {
            lookup(fdb, mac, 0);
            lookup(fdb, mac, 1);
        }
        assert_int_equal(vm_map_count(fdb->map),
                         hmap_count(&fdb->ml->table));
        vm_defer_run();
    }
    of_fdb_destroy(fdb);
    vm_defer_run();
}

int
main(void)
{
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(test_learn),
        cmocka_unit_test(test_static),
        cmocka_unit_test(test_flood_vlans),
        cmocka_unit_test(test_age),
        cmocka_unit_test(test_full),
        cmocka_unit_test(test_random),
    };

    return cmocka_run_group_tests_name("of-fdb", tests, NULL, NULL);
}
