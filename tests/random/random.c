/* SPDX-License-Identifier: Apache-2.0 */

#include "tests/random/random.h"

#include <errno.h>
#include <getopt.h>
#include <inttypes.h>
#include <stdlib.h>
#include <string.h>
#include "fatal-signal.h"
#include "openvswitch/vlog.h"
#include "ovs-thread.h"
#include "timeval.h"
#include "util.h"

static const char *stock_dir;           /* Null: only ours. */
static bool time_is_up;         /* A slow machine ends without all hits. */
static const char *out_dir = ".";       /* Where failing cases go. */
static bool verbose;

/* Hits: packets that a rule with that field (mask, action) matched. */
enum { MAX_ROWS = 64, MIN_HITS = 50 };
static uint64_t field_hits[MAX_ROWS];
static uint64_t mask_hits[RND_N_MASKS];
static uint64_t action_hits[MAX_ROWS];

static void
count_hits(const struct rnd_case *c, const struct rnd_result *slow)
{
    static int conjunction = -1;

    while (conjunction < 0
           || strcmp(rnd_action_name(conjunction), "conjunction")) {
        conjunction++;
    }
    for (int i = 0; i < c->n_rules; i++) {
        const struct rnd_rule *rule = &c->rules[i];
        uint64_t n = slow->rules[rule->cookie].packets;

        for (int row = 0; n && rnd_field_name(row); row++) {
            field_hits[row] += rule->fields & UINT64_C(1) << row ? n : 0;
        }
        for (int mask = 0; n && mask < RND_N_MASKS; mask++) {
            mask_hits[mask] += rule->masks & 1u << mask ? n : 0;
        }
        for (int j = 0; j < rule->n_actions; j++) {
            action_hits[rule->actions[j].row] += n;
        }
        if (rule->match.wc.masks.conj_id && rule->match.flow.conj_id) {
            /* Clauses themselves count nothing. */
            action_hits[conjunction] += n;
        }
    }
}

/* Prints the hits of one kind of row; returns how many are too few. */
static int
print_hits(const char *what, const char *name, uint64_t hits)
{
    printf("# %-8s %-16s %8"PRIu64"%s\n", what, name, hits,
           hits < MIN_HITS ? "  too few" : "");
    return hits < MIN_HITS;
}

static bool
enough_hits(void)
{
    bool ok = true;

    for (int i = 0; rnd_field_name(i); i++) {
        ok &= field_hits[i] >= MIN_HITS;
    }
    for (int i = 0; i < RND_N_MASKS; i++) {
        ok &= mask_hits[i] >= MIN_HITS;
    }
    for (int i = 0; rnd_action_name(i); i++) {
        ok &= action_hits[i] >= MIN_HITS;
    }
    return ok;
}

static bool
report_hits(void)
{
    int too_few = 0;

    for (int i = 0; rnd_field_name(i); i++) {
        too_few += print_hits("field", rnd_field_name(i), field_hits[i]);
    }
    for (int i = 0; i < RND_N_MASKS; i++) {
        too_few += print_hits("mask", rnd_mask_name(i), mask_hits[i]);
    }
    for (int i = 0; rnd_action_name(i); i++) {
        too_few += print_hits("action", rnd_action_name(i), action_hits[i]);
    }
    if (too_few) {
        printf("not ok random hits - %d rows were hit fewer than %d times\n",
               too_few, MIN_HITS);
    } else {
        printf("ok random hits\n");
    }
    return !too_few;
}

static struct rnd_result compiled, slow, stock;
static int n_transient;

/* What stock Open vSwitch counts otherwise (docs/conformance.md). */
static void
forget_other_counts(const struct rnd_case *c)
{
    struct rnd_result *all[] = { &compiled, &slow, &stock };

    for (size_t i = 0; i < ARRAY_SIZE(all); i++) {
        for (int j = 0; c->recirculates && j <= RND_MAX_RULES; j++) {
            all[i]->rules[j].bytes = 0;
        }
        if (slow.too_deep) {
            memset(all[i]->buckets, 0, sizeof all[i]->buckets);
        }
    }
}

/* How often a difference must be seen. */
enum { MAX_TRIES = 3, MAX_TRANSIENT_MS = 1000, MAX_TRANSIENT_SHARE = 200 };

/* Whether stock Open vSwitch ends an endless loop sooner than ours: it goes
 * on with a packet at most six times after decap (docs/conformance.md). */
static bool
ends_sooner(const struct rnd_case *c)
{
    for (int i = 0; slow.too_deep && i < c->n_rules; i++) {
        for (int j = 0; j < c->rules[i].n_actions; j++) {
            if (strstr(c->rules[i].actions[j].text, "decap")) {
                return true;
            }
        }
    }
    return false;
}

/* Runs 'c' on all engines.  Returns what differs, or null. */
static char *
run_once(const struct rnd_case *c, bool packet_out)
{
    char *why;

    rnd_result_clear(&compiled);
    rnd_result_clear(&slow);
    rnd_result_clear(&stock);
    rnd_ours_run(c, &compiled, &slow);
    if (!stock_dir || ends_sooner(c)) {
        return rnd_compare(&compiled, "compiled", &slow, "slow path");
    }
    rnd_stock_run(c, &stock, packet_out);
    forget_other_counts(c);
    why = rnd_compare(&stock, "stock", &slow, "slow path");
    return why ? why : rnd_compare(&stock, "stock", &compiled, "compiled");
}

/* With packets that stock Open vSwitch receives on its ports. */
static char *
run_case(const struct rnd_case *c)
{
    return run_once(c, false);
}

/* Runs it until it is the same or was different as often as it takes. */
static char *
still_fails(const struct rnd_case *c)
{
    char *why = NULL;

    for (int i = 0; i < MAX_TRIES; i++) {
        free(why);
        why = run_case(c);
        if (!why) {
            break;
        }
    }
    return why;
}

/* The same, by packet-outs where those give the same result.
 *
 * Stock Open vSwitch loses packets now and then, for some milliseconds (its
 * revalidators may lock the datapath).  So a difference counts if it comes
 * back for a while, or if it is ours that changes from run to run. */
static char *
judge(const struct rnd_case *c)
{
    long long int deadline = time_msec() + MAX_TRANSIENT_MS;
    struct rnd_result first;
    char *why, *once = NULL;

    if (stock_dir && c->seed % 8) {
        why = run_once(c, true);
        if (!why) {
            return NULL;
        }
        free(why);
    }
    memset(&first, 0, sizeof first);
    for (int i = 0; i < MAX_TRIES || time_msec() < deadline; i++) {
        char *changed;

        why = run_case(c);
        changed = i ? rnd_compare(&first, "first", &compiled, "later run")
                  : NULL;
        if (changed) {
            free(why);
            free(once);
            rnd_result_clear(&first);
            return changed;
        }
        if (!why) {
            break;
        }
        free(once);
        once = why;
        rnd_result_clear(&first);
        first = compiled;
        memset(&compiled, 0, sizeof compiled);
    }
    rnd_result_clear(&first);
    if (why || !once) {
        return why;
    }
    printf("# seed %"PRIu64", not always: %s\n", c->seed, once);
    free(once);
    n_transient++;
    return NULL;
}

static void
report_failure(struct rnd_case *c)
{
    char *dir, *why;

    rnd_shrink(c, still_fails);
    why = still_fails(c);
    printf("not ok random seed %"PRIu64" - %s\n", c->seed,
           why ? why : "does not fail again");
    for (int i = 0; i < c->n_rules; i++) {
        char *text = rnd_rule_text(&c->rules[i]);

        printf("#   %s\n", text);
        free(text);
    }
    for (int i = 0; i < c->n_groups; i++) {
        char *text = rnd_group_text(&c->groups[i]);

        printf("#   %s\n", text);
        free(text);
    }
    for (int i = 0; i < c->n_packets; i++) {
        char *hex = rnd_hex(c->packets[i].data, c->packets[i].size);

        printf("#   in %u %s\n", c->packets[i].in_port, hex);
        free(hex);
    }
    dir = xasprintf("%s/random-%"PRIu64, out_dir, c->seed);
    rnd_write_replay(c, stock_dir ? &stock : &slow, dir);
    if (verbose) {
        rnd_ours_show();
    }
    printf("#   written to %s\n", dir);
    fflush(stdout);
    free(dir);
    free(why);
}

static void
usage(void)
{
    printf("usage: random [--seed=N] [--cases=N] [--seconds=N] "
           "[--failures=N]\n              [--stock=DIR] [--out=DIR] "
           "[--only=N] [--verbose]\n");
    exit(EXIT_SUCCESS);
}

struct options {
    uint64_t seed;
    int cases, seconds, failures;
    bool only;                      /* Just the case 'seed'. */
};

static void
parse_options(int argc, char *argv[], struct options *o)
{
    static const struct option options[] = {
        { "seed", required_argument, NULL, 's' },
        { "cases", required_argument, NULL, 'n' },
        { "seconds", required_argument, NULL, 't' },
        { "failures", required_argument, NULL, 'f' },
        { "stock", required_argument, NULL, 'd' },
        { "out", required_argument, NULL, 'o' },
        { "only", required_argument, NULL, '1' },
        { "verbose", no_argument, NULL, 'v' },
        { "help", no_argument, NULL, 'h' },
        { NULL, 0, NULL, 0 },
    };
    int opt;

    while ((opt = getopt_long(argc, argv, "", options, NULL)) != -1) {
        switch (opt) {
        case 's':
            o->seed = strtoull(optarg, NULL, 0);
            break;
        case 'n':
            o->cases = atoi(optarg);
            break;
        case 't':
            o->seconds = atoi(optarg);
            break;
        case 'f':
            o->failures = atoi(optarg);
            break;
        case 'd':
            stock_dir = optarg;
            break;
        case 'o':
            out_dir = optarg;
            break;
        case '1':
            o->seed = strtoull(optarg, NULL, 0);
            o->only = true;
            o->cases = 1;
            break;
        case 'v':
            verbose = true;
            break;
        default:
            usage();
        }
    }
}

/* Whether 'n' cases in 'ms' milliseconds are enough: as many as asked for, or
 * the time is up, and every row was hit (but there is an end to that). */
static bool
is_enough(const struct options *o, int n, long long int ms)
{
    if (n < o->cases && !(o->seconds && ms >= o->seconds * 1000LL)) {
        return false;
    }
    time_is_up = o->seconds && ms >= 2 * o->seconds * 1000LL;
    return o->only || enough_hits() || n >= 3 * o->cases || time_is_up;
}

/* Runs cases until there are enough.  Returns how many failed. */
static int
run_cases(const struct options *o)
{
    struct rnd_case *c = xmalloc(sizeof *c);
    long long int start = time_msec();
    int n, n_failed = 0, n_refused = 0;

    for (n = 0; n_failed < o->failures; n++) {
        char *why;

        if (is_enough(o, n, time_msec() - start)) {
            break;
        }
        rnd_generate(c, o->seed + n);
        if (verbose) {
            for (int i = 0; i < c->n_rules; i++) {
                char *text = rnd_rule_text(&c->rules[i]);

                printf("# %s\n", text);
                free(text);
            }
            fflush(stdout);
        }
        why = judge(c);
        n_refused += compiled.error != NULL;
        if (why) {
            printf("# seed %"PRIu64": %s\n", c->seed, why);
            free(why);
            report_failure(c);
            n_failed++;
        } else {
            count_hits(c, &slow);
        }
    }
    printf("# %d pipelines, seeds %"PRIu64" to %"PRIu64", %d failed, "
           "%d differences of stock's that did not come back, "
           "%d refused by all, %.1f s\n", n, o->seed, o->seed + n - 1,
           n_failed, n_transient, n_refused, (time_msec() - start) / 1000.0);
    free(c);
    return n_failed;
}

int
main(int argc, char *argv[])
{
    struct options o = { .cases = 10000, .failures = 5 };
    bool ok;

    set_program_name(argv[0]);
    o.seed = time_wall_msec() % 1000000 * 1000000;
    parse_options(argc, argv, &o);
    fatal_ignore_sigpipe();
    vlog_set_levels(NULL, VLF_ANY_DESTINATION, VLL_OFF);
    printf("# seed %"PRIu64"\n", o.seed);
    fflush(stdout);

    rnd_ours_init();
    if (stock_dir) {
        rnd_stock_init(stock_dir);
    }
    ok = !run_cases(&o);
    if (ok && n_transient > o.cases / MAX_TRANSIENT_SHARE) {
        printf("not ok random - too many differences that did not stay\n");
        ok = false;
    }
    if (ok) {
        printf("ok random comparison\n");
    }
    if (ok && !o.only && (enough_hits() || !time_is_up)) {
        ok = report_hits();
    } else if (time_is_up) {
        printf("# the time was up before every row was hit %d times\n",
               MIN_HITS);
    }
    rnd_ours_exit();
    return ok ? EXIT_SUCCESS : EXIT_FAILURE;
}
