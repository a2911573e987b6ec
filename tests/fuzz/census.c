/* SPDX-License-Identifier: Apache-2.0 */
#include "tests/fuzz/census.h"

#include <errno.h>
#include <fcntl.h>
#include <stdio.h>
#include <string.h>
#include <sys/file.h>
#include <unistd.h>

#include "vm/map.h"

#define ENOUGH 2000             /* Programs, for a share or a median. */

/* Helpers of the kernel's numbers, of the VM, of the fuzzer. */
static uint32_t
helper_index(uint32_t id)
{
    return id < 192 ? id
           : 192 + (id & 31) + (id >= VM_HELPER_DP ? 32 : 0);
}

void
fuzz_count_helper(const struct vm_prog *prog, uint32_t id)
{
    fuzz_census.helpers[helper_index(id)]++;
}

void
summary_add(struct summary *s, const struct outcome *o)
{
    s->programs++;
    s->verdicts[o->verdict]++;
    if (o->verdict >= V_GOOD) {
        s->steps[o->steps < 255 ? o->steps : 255]++;
    }
}

static uint32_t
median(const struct summary *s, uint64_t accepted)
{
    uint64_t n = 0;
    uint32_t i;

    for (i = 0; i < 255 && (n += s->steps[i]) * 2 < accepted; i++) {
    }
    return i;
}

struct least {
    uint64_t least, wanted;
    uint32_t n, below;
    const char *who;
};

static void
meet(struct least *l, const char *kind, const char *name, uint64_t count)
{
    l->n++;
    if (count < l->least) {
        l->least = count;
        l->who = name;
    }
    if (count < l->wanted) {
        l->below++;
        printf("  %s %s was met %llu times\n", kind, name,
               (unsigned long long) count);
    }
}

static void
print_least(const char *kind, const struct least *l)
{
    printf("%u %s met, the rarest (%s) %llu times\n", l->n, kind, l->who,
           (unsigned long long) l->least);
}

static bool
census_print(struct fuzz_world *const worlds[], uint64_t wanted)
{
    struct least insns = { UINT64_MAX, wanted, 0, 0, "" };
    struct least maps = insns, helpers = insns;

    for (int i = 0; i < VM_N_INSNS; i++) {
        meet(&insns, "instruction", vm_isa[i].name, fuzz_census.insns[i]);
    }
    for (uint32_t i = 0; i < FUZZ_N_MAPS; i++) {
        meet(&maps, "map", fuzz_map_attr(i).name, fuzz_census.maps[i]);
    }
    for (int k = 0; k < FUZZ_N_KINDS; k++) {
        const struct vm_prog_type *type = worlds[k] ? &worlds[k]->type : NULL;

        for (size_t i = 0; type && i < type->n_helper_sets; i++) {
            const struct vm_helper_set *set = type->helper_sets[i];

            for (size_t j = 0; j < set->n; j++) {
                const struct vm_helper *h = &set->helpers[j];

                meet(&helpers, "helper", h->name,
                     fuzz_census.helpers[helper_index(h->id)]);
            }
        }
    }
    print_least("instructions", &insns);
    print_least("helpers", &helpers);
    print_least("maps", &maps);
    return !insns.below && !maps.below && !helpers.below;
}

uint64_t
summary_verdicts(const struct summary *s)
{
    uint64_t accepted = 0;

    printf("%llu programs:", (unsigned long long) s->programs);
    for (int v = 0; v < V_N_VERDICTS; v++) {
        if (s->verdicts[v]) {
            printf(" %llu %s%s", (unsigned long long) s->verdicts[v],
                   verdict_name(v), v == V_N_VERDICTS - 1 ? "" : ",");
        }
        accepted += v >= V_GOOD ? s->verdicts[v] : 0;
    }
    putchar('\n');
    return accepted;
}

bool
summary_print(const struct summary *s, struct fuzz_world *const worlds[],
              bool census)
{
    uint64_t least = census && s->programs >= ENOUGH ? s->programs / 1000 : 0;
    uint64_t accepted = summary_verdicts(s);
    bool good = true;

    printf("%.1f%% accepted, the median run has %u instructions\n",
           s->programs ? 100.0 * accepted / s->programs : 0,
           median(s, accepted));
    if (s->programs >= ENOUGH && accepted * 10 < s->programs * 3) {
        printf("fewer than 30%% were accepted\n");
        good = false;
    }
    if (s->programs >= ENOUGH && median(s, accepted) < 40) {
        printf("the median run has fewer than 40 instructions\n");
        good = false;
    }
    return census_print(worlds, least) && good;
}

/* -- Sums of many runs -- */

static void
add(void *to, const void *from, size_t size)
{
    uint64_t *sum = to;
    const uint64_t *part = from;

    for (size_t i = 0; i < size / sizeof *sum; i++) {
        sum[i] += part[i];
    }
}

static int
tally(int fd, struct summary *s)
{
    struct {
        struct summary summary;
        struct fuzz_census census;
    } all;
    ssize_t n = read(fd, &all, sizeof all);

    if (n < 0) {
        return -errno;
    } else if (n && n != sizeof all) {
        return -EINVAL;
    } else if (n) {
        add(s, &all.summary, sizeof *s);
        add(&fuzz_census, &all.census, sizeof fuzz_census);
    }
    all.summary = *s;
    all.census = fuzz_census;
    n = pwrite(fd, &all, sizeof all, 0);
    return n == sizeof all ? 0 : n < 0 ? -errno : -EIO;
}

int
summary_tally(struct summary *s, const char *name)
{
    int fd = open(name, O_RDWR | O_CREAT | O_CLOEXEC, 0644);
    int error;

    if (fd < 0) {
        return -errno;
    }
    error = flock(fd, LOCK_EX) ? -errno : tally(fd, s);
    close(fd);
    return error;
}
