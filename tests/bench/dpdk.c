/* SPDX-License-Identifier: Apache-2.0 */

/* DPDK as a library for its tables: no ports, no shared files. */

#include "tests/bench/maps.h"

#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/mman.h>
#include <unistd.h>

#include <rte_eal.h>
#include <rte_errno.h>
#include <rte_lcore.h>
#include <rte_version.h>

#include "tests/bench/bench.h"
#include "vm/map.h"

#define N_PAGES 384             /* Of 2 MB. */
#define POOL "/sys/kernel/mm/hugepages/hugepages-2048kB/"

static long pages_before = -1;

static long
read_number(const char *path)
{
    FILE *f = fopen(path, "r");
    long n = -1;

    if (f) {
        if (fscanf(f, "%ld", &n) != 1) {
            n = -1;
        }
        fclose(f);
    }
    return n;
}

static void
write_number(const char *path, long n)
{
    FILE *f = fopen(path, "w");

    if (f) {
        fprintf(f, "%ld", n);
        fclose(f);
    }
}

static void
give_back(void)
{
    rte_eal_cleanup();
    write_number(POOL "nr_hugepages", pages_before);
}

/* Sees to it that N_PAGES huge pages are free; false if they are not to be
 * had. */
static bool
reserve(void)
{
    long n_free = read_number(POOL "free_hugepages");

    pages_before = read_number(POOL "nr_hugepages");
    if (n_free < 0 || pages_before < 0) {
        return false;
    }
    if (n_free < N_PAGES) {
        atexit(give_back);
        write_number(POOL "nr_hugepages", pages_before + N_PAGES - n_free);
    }
    return read_number(POOL "free_hugepages") >= N_PAGES;
}

static void *
small_alloc(size_t size)
{
    void *p = mmap(NULL, size, PROT_READ | PROT_WRITE,
                   MAP_PRIVATE | MAP_ANONYMOUS, -1, 0);

    if (p == MAP_FAILED) {
        return NULL;
    }
    madvise(p, size, MADV_NOHUGEPAGE);
    return p;
}

static void
small_free(void *p, size_t size)
{
    if (p) {
        munmap(p, size);
    }
}

void
bench_dpdk_init(void)
{
    bool huge = !bench_quick() && reserve();
    char core[16];
    char *argv[] = {
        "bench", "--no-pci", "-l", core, "-m", huge ? "700" : "512",
        "--log-level=error", "--no-telemetry", "--no-shconf",
        huge ? "--in-memory" : "--no-huge", NULL,
    };
    int argc = 0;

    while (argv[argc]) {
        argc++;
    }
    snprintf(core, sizeof core, "%d", sched_getcpu());
    if (rte_eal_init(argc, argv) < 0) {
        bench_cannot(rte_strerror(rte_errno));
    }
    if (!huge) {
        vm_set_big_alloc(small_alloc, small_free);
    }
    bench_fact("peer", "%s", rte_version());
    bench_fact("pages", huge ? "2 MB for both" : "4 kB for both");
}
