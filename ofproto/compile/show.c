/* SPDX-License-Identifier: Apache-2.0 */

/* pipeline/show: what the compiler has made of a bridge.
 *
 * The JSON form, stable:
 *
 *     {"bridge": NAME,
 *      "parse": {"level": "none"|"L2"|"L3"|"L4", "vlans": N, "insns": N,
 *                "max_path": N},
 *      "shapes": N, "programs": N,            of all bridges
 *      "tables": [
 *        {"table": N, "plan": TEXT,           of plans.def, or "general"
 *         "split": BOOL,                      yields within a lookup
 *         "broken": N,                        plans given up for a change
 *         "entries": N, "insns": N,
 *         "bytes": N,                         of the map, and the plan's own
 *         "max_probes": N,                    places that a packet may probe
 *         "max_path": N,                      longest path through the
 *                                             program, in insns
 *         "masks": [{"mask": TEXT, "entries": N, "priority": N}, ...],
 *         "rules": [{"priority": N, "match": TEXT, "actions": TEXT,
 *                    "cookie": "0x...", "flow": N, "slot": N, "shape": N},
 *                   ...],                     with 'rules' and 'insns'
 *         "program": TEXT}, ...],             with 'insns'
 *      "actions": [{"slot": N, "shape": N, "segment": N, "flows": N,
 *                   "max_path": N, "program": TEXT}, ...]}   with 'insns'
 *
 * A table that never had a rule is not listed. */

#include "ofproto/compile/pipeline.h"

#include <stdlib.h>
#include <string.h>
#include "flow.h"
#include "openvswitch/dynamic-string.h"
#include "openvswitch/hmap.h"
#include "openvswitch/json.h"
#include "openvswitch/ofp-actions.h"
#include "ovs-thread.h"
#include "unixctl.h"
#include "util.h"
#include "hash.h"
#include "ofproto/ofproto-provider.h"
#include "datapath/dp.h"
#include "ofproto/compile/match.h"
#include "ofproto/compile/plan.h"
#include "ofproto/compile/shape.h"
#include "vm/disasm.h"
#include "vm/map.h"
#include "vm/maps/vtable.h"
#include "vm/prog.h"

static const char *const level_names[OF_N_PARSE_LEVELS] = {
    "none", "L2", "L3", "L4"
};

/* A visible entry of a table, in the order in which they are shown. */
struct shown_rule {
    const struct of_entry *e;
    uint64_t seq;               /* Stable among equal priorities. */
};

struct shown_rules {
    struct shown_rule *r;
    size_t n, allocated;
};

static bool
collect_rule(struct vm_ventry *vt, void *rules_)
{
    struct shown_rules *rules = rules_;

    if (vm_ventry_remove_version(vt) != VM_VERSION_NOT_REMOVED) {
        return true;
    }
    if (rules->n >= rules->allocated) {
        rules->r = x2nrealloc(rules->r, &rules->allocated, sizeof *rules->r);
    }
    rules->r[rules->n].e = vm_ventry_aux(vt);
    rules->r[rules->n].seq = vm_ventry_add_version(vt);
    rules->n++;
    return true;
}

static int
compare_rules(const void *a_, const void *b_)
{
    const struct shown_rule *a = a_, *b = b_;
    int ap = a->e->rule->cr.priority, bp = b->e->rule->cr.priority;

    return (ap != bp ? (ap < bp ? 1 : -1)
            : a->seq != b->seq ? (a->seq < b->seq ? -1 : 1)
            : a->e->flow < b->e->flow ? -1 : a->e->flow > b->e->flow);
}

static void
collect_rules(const struct of_table *t, struct shown_rules *rules)
{
    memset(rules, 0, sizeof *rules);
    vm_vmap_for_each(t->map, collect_rule, rules);
    if (rules->n) {
        qsort(rules->r, rules->n, sizeof *rules->r, compare_rules);
    }
}

static void
format_match(const struct of_entry *e, struct ds *s)
{
    minimatch_format(&e->rule->cr.match, NULL, NULL, s,
                     OFP_DEFAULT_PRIORITY);
    if (!s->length) {
        ds_put_char(s, '*');
    }
}

static void
format_actions(const struct of_entry *e, struct ds *s)
{
    const struct rule_actions *actions = rule_get_actions(e->rule);
    const struct ofpact_format_params fp = { .s = s };

    ofpacts_format(actions->ofpacts, actions->ofpacts_len, &fp);
}

/* Shapes that the shown tables' rules use, with how many. */
struct used_shape {
    struct hmap_node node;
    const struct of_shape *shape;
    size_t n_flows;
};

static void
use_shape(struct hmap *used, const struct of_shape *shape)
{
    uint32_t hash = hash_int(shape->id, 0);
    struct used_shape *u;

    HMAP_FOR_EACH_WITH_HASH (u, node, hash, used) {
        if (u->shape == shape) {
            u->n_flows++;
            return;
        }
    }
    u = xmalloc(sizeof *u);
    u->shape = shape;
    u->n_flows = 1;
    hmap_insert(used, &u->node, hash);
}

static int
compare_shapes(const void *a_, const void *b_)
{
    const struct used_shape *const *a = a_, *const *b = b_;

    return (*a)->shape->id < (*b)->shape->id ? -1 : 1;
}

static struct used_shape **
sort_shapes(const struct hmap *used)
{
    struct used_shape **sorted = xmalloc((hmap_count(used) + 1)
                                         * sizeof *sorted);
    struct used_shape *u;
    size_t n = 0;

    HMAP_FOR_EACH (u, node, used) {
        sorted[n++] = u;
    }
    qsort(sorted, n, sizeof *sorted, compare_shapes);
    return sorted;
}

static void
free_shapes(struct hmap *used)
{
    struct used_shape *u;

    HMAP_FOR_EACH_POP (u, node, used) {
        free(u);
    }
    hmap_destroy(used);
}

/* JSON is the truth; the text is made from it. */

static struct json *
json_from_prog(const struct vm_prog *prog)
{
    char *text = vm_prog_disasm(prog, VM_DISASM_NUMBERS | VM_DISASM_LABELS);

    return json_string_create_nocopy(text ? text : xstrdup(""));
}

static struct json *
json_from_masks(const struct of_table *t)
{
    struct json *masks = json_array_create_empty();
    size_t n = vm_vtuples_n_tuples(t->map);

    for (size_t i = 0; i < n; i++) {
        struct json *mask = json_object_create();
        uint64_t words[DP_KEY_WORDS];
        struct vm_vtuple_info info;
        struct ds s = DS_EMPTY_INITIALIZER;

        vm_vtuples_tuple(t->map, i, words, &info);
        of_mask_format(words, &s);
        json_object_put_string(mask, "mask", ds_cstr(&s));
        json_object_put(mask, "entries", json_integer_create(info.n_entries));
        json_object_put(mask, "priority",
                        json_integer_create(info.max_priority));
        json_array_add(masks, mask);
        ds_destroy(&s);
    }
    return masks;
}

static struct json *
json_from_rule(const struct of_entry *e)
{
    struct json *rule = json_object_create();
    struct ds s = DS_EMPTY_INITIALIZER;

    json_object_put(rule, "priority",
                    json_integer_create(e->rule->cr.priority));
    format_match(e, &s);
    json_object_put_string(rule, "match", ds_cstr(&s));
    ds_clear(&s);
    format_actions(e, &s);
    json_object_put_string(rule, "actions", ds_cstr(&s));
    ds_destroy(&s);
    json_object_put_format(rule, "cookie", "0x%"PRIx64,
                           ntohll(e->rule->flow_cookie));
    json_object_put(rule, "flow", json_integer_create(e->flow));
    json_object_put(rule, "slot",
                    json_integer_create(of_shape_slot(e->shape)));
    json_object_put(rule, "shape",
                    json_integer_create(e->shape->id));
    return rule;
}

static struct json *
json_from_table(const struct of_table *t, enum of_show_what what,
                struct hmap *used)
{
    struct json *table = json_object_create();
    const struct vm_prog *prog = t->in_slot;
    const struct of_tplan *plan = t->n_conj ? NULL : t->plan;

    json_object_put(table, "table", json_integer_create(t->id));
    json_object_put_string(table, "plan", plan ? plan->ops->name
                           : "general");
    json_object_put(table, "split",
                    json_boolean_create(plan && plan->split));
    json_object_put(table, "broken", json_integer_create(t->n_broken));
    json_object_put(table, "entries", json_integer_create(t->n_entries));
    json_object_put(table, "insns", json_integer_create(prog->n_insns));
    json_object_put(table, "bytes",
                    json_integer_create(vm_map_memory(t->map)
                                        + (plan && plan->map != t->map
                                           ? vm_map_memory(plan->map) : 0)));
    json_object_put(table, "max_probes",
                    json_integer_create(plan ? plan->ops->n_probes(plan)
                                        : vm_vtuples_n_tuples(t->map)));
    json_object_put(table, "max_path",
                    json_integer_create(prog->longest_path));
    json_object_put(table, "masks", json_from_masks(t));
    if (what != OF_SHOW_PLAN) {
        struct json *array = json_array_create_empty();
        struct shown_rules rules;

        collect_rules(t, &rules);
        for (size_t i = 0; i < rules.n; i++) {
            json_array_add(array, json_from_rule(rules.r[i].e));
            use_shape(used, rules.r[i].e->shape);
        }
        free(rules.r);
        json_object_put(table, "rules", array);
    }
    if (what == OF_SHOW_INSNS) {
        json_object_put(table, "program", json_from_prog(prog));
    }
    return table;
}

static struct json *
json_from_shapes(const struct hmap *used)
{
    struct json *array = json_array_create_empty();
    struct used_shape **sorted = sort_shapes(used);

    for (size_t i = 0; i < hmap_count(used); i++) {
        const struct of_segments *segments = &sorted[i]->shape->segments;

        for (size_t j = 0; j < segments->n; j++) {
            struct json *action = json_object_create();

            json_object_put(action, "slot",
                            json_integer_create(segments->s[j].slot));
            json_object_put(action, "shape",
                            json_integer_create(sorted[i]->shape->id));
            json_object_put(action, "segment", json_integer_create(j));
            json_object_put(action, "flows",
                            json_integer_create(sorted[i]->n_flows));
            json_object_put(action, "max_path", json_integer_create(
                segments->s[j].prog->longest_path));
            json_object_put(action, "program",
                            json_from_prog(segments->s[j].prog));
            json_array_add(array, action);
        }
    }
    free(sorted);
    return array;
}

struct json *
of_pipeline_json(const struct of_pipeline *p, int table_id,
                 enum of_show_what what)
{
    struct json *tables = json_array_create_empty();
    struct json *top = json_object_create();
    struct json *parse = json_object_create();
    struct hmap used = HMAP_INITIALIZER(&used);
    struct of_shape_stats stats;

    json_object_put_string(top, "bridge", dp_bridge_name(p->dpb));
    json_object_put_string(parse, "level", level_names[p->parse_level]);
    json_object_put(parse, "vlans",
                    json_integer_create(MIN(MAX(flow_vlan_limit, 0),
                                            FLOW_MAX_VLAN_HEADERS)));
    json_object_put(parse, "insns", json_integer_create(p->parse->n_insns));
    json_object_put(parse, "max_path",
                    json_integer_create(p->parse->longest_path));
    json_object_put(top, "parse", parse);
    of_shapes_stats(&stats);
    json_object_put(top, "shapes", json_integer_create(stats.n_shapes));
    json_object_put(top, "programs", json_integer_create(stats.n_programs));
    for (int i = 0; i < OF_MAX_TABLES; i++) {
        if (p->tables[i] && (table_id < 0 || table_id == i)) {
            json_array_add(tables,
                           json_from_table(p->tables[i], what, &used));
        }
    }
    json_object_put(top, "tables", tables);
    if (what == OF_SHOW_INSNS) {
        json_object_put(top, "actions", json_from_shapes(&used));
    }
    free_shapes(&used);
    return top;
}

/* Text. */

static const struct json *
member(const struct json *json, const char *name)
{
    return shash_find_data(json->object, name);
}

static long long int
integer(const struct json *json, const char *name)
{
    return json_integer(member(json, name));
}

static const char *
string(const struct json *json, const char *name)
{
    return json_string(member(json, name));
}

/* The lines of 'text', indented. */
static void
put_lines(struct ds *out, const char *text)
{
    while (*text) {
        size_t n = strcspn(text, "\n");

        ds_put_format(out, "    %.*s\n", (int) n, text);
        text += n + (text[n] == '\n');
    }
}

static void
put_table(struct ds *out, const struct json *table)
{
    const struct json *masks = member(table, "masks");
    const struct json *rules = member(table, "rules");

    ds_put_format(out, "table %lld: plan %s%s, %lld entries, at most %lld "
                  "probes, program of %lld insns (longest path %lld), "
                  "map of %lld bytes\n",
                  integer(table, "table"), string(table, "plan"),
                  json_boolean(member(table, "split")) ? " (split)" : "",
                  integer(table, "entries"), integer(table, "max_probes"),
                  integer(table, "insns"), integer(table, "max_path"),
                  integer(table, "bytes"));
    for (size_t i = 0; i < json_array(masks)->n; i++) {
        const struct json *mask = json_array(masks)->elems[i];

        ds_put_format(out, "  mask %s: %lld entries, priority up to %lld\n",
                      string(mask, "mask"), integer(mask, "entries"),
                      integer(mask, "priority"));
    }
    for (size_t i = 0; rules && i < json_array(rules)->n; i++) {
        const struct json *rule = json_array(rules)->elems[i];

        ds_put_format(out, "  rule priority=%lld,%s actions=%s\n"
                      "       cookie=%s flow %lld, shape %lld in slot %lld\n",
                      integer(rule, "priority"), string(rule, "match"),
                      string(rule, "actions"), string(rule, "cookie"),
                      integer(rule, "flow"), integer(rule, "shape"),
                      integer(rule, "slot"));
    }
    if (member(table, "program")) {
        ds_put_cstr(out, "  program:\n");
        put_lines(out, string(table, "program"));
    }
}

void
of_pipeline_show(const struct of_pipeline *p, int table_id,
                 enum of_show_what what, struct ds *out)
{
    struct json *top = of_pipeline_json(p, table_id, what);
    const struct json *parse = member(top, "parse");
    const struct json *tables = member(top, "tables");
    const struct json *actions = member(top, "actions");

    ds_put_format(out, "bridge %s: parse to %s (%lld VLAN tags, %lld insns, "
                  "longest path %lld); %lld action shapes, "
                  "%lld action programs in all\n",
                  string(top, "bridge"), string(parse, "level"),
                  integer(parse, "vlans"), integer(parse, "insns"),
                  integer(parse, "max_path"),
                  integer(top, "shapes"), integer(top, "programs"));
    for (size_t i = 0; i < json_array(tables)->n; i++) {
        put_table(out, json_array(tables)->elems[i]);
    }
    for (size_t i = 0; actions && i < json_array(actions)->n; i++) {
        const struct json *action = json_array(actions)->elems[i];

        ds_put_format(out, "shape %lld, segment %lld in slot %lld: actions "
                      "of %lld flows shown, longest path %lld\n",
                      integer(action, "shape"), integer(action, "segment"),
                      integer(action, "slot"), integer(action, "flows"),
                      integer(action, "max_path"));
        put_lines(out, string(action, "program"));
    }
    json_destroy(top);
}

/* The command. */

static struct of_pipeline *
find_pipeline(const char *name)
{
    struct of_pipeline *p;

    LIST_FOR_EACH (p, node, &of_pipelines) {
        if (!strcmp(dp_bridge_name(p->dpb), name)) {
            return p;
        }
    }
    return NULL;
}

/* pipeline/show [--json] [BRIDGE [TABLE [rules|plan|insns]]] */
struct show_args {
    bool json;
    const char *bridge;
    int table_id;
    enum of_show_what what;
};

static char *
parse_show_args(int argc, const char *argv[], struct show_args *args)
{
    static const char *const whats[] = {
        [OF_SHOW_PLAN] = "plan",
        [OF_SHOW_RULES] = "rules",
        [OF_SHOW_INSNS] = "insns",
    };
    int n = 0;

    *args = (struct show_args) { .table_id = -1 };
    for (int i = 1; i < argc; i++) {
        const char *arg = argv[i];

        if (!strcmp(arg, "--json")) {
            args->json = true;
        } else if (n == 0) {
            args->bridge = arg;
            n++;
        } else if (n == 1) {
            if (strcmp(arg, "all")
                && (!str_to_int(arg, 10, &args->table_id)
                    || args->table_id < 0
                    || args->table_id >= OF_MAX_TABLES)) {
                return xasprintf("%s: expected a table number from 0 to %d, "
                                 "or \"all\"", arg, OF_MAX_TABLES - 1);
            }
            n++;
        } else if (n == 2) {
            size_t w;

            for (w = 0; w < ARRAY_SIZE(whats); w++) {
                if (!strcmp(arg, whats[w])) {
                    break;
                }
            }
            if (w >= ARRAY_SIZE(whats)) {
                return xasprintf("%s: expected rules, plan or insns", arg);
            }
            args->what = w;
            n++;
        } else {
            return xasprintf("%s: one argument too many", arg);
        }
    }
    return NULL;
}

static void
pipeline_show_cmd(struct unixctl_conn *conn, int argc, const char *argv[],
                  void *aux)
{
    struct json *array = json_array_create_empty();
    struct ds out = DS_EMPTY_INITIALIZER;
    struct show_args args;
    struct of_pipeline *p;
    char *error = parse_show_args(argc, argv, &args);

    if (!error && args.bridge && !find_pipeline(args.bridge)) {
        error = xasprintf("no bridge named %s", args.bridge);
    }
    if (error) {
        unixctl_command_reply_error(conn, error);
        free(error);
        json_destroy(array);
        return;
    }
    /* Workers that learn flows change tables, too. */
    ovs_mutex_lock(&ofproto_mutex);
    LIST_FOR_EACH (p, node, &of_pipelines) {
        if (args.bridge && strcmp(dp_bridge_name(p->dpb), args.bridge)) {
            continue;
        }
        if (args.json) {
            json_array_add(array, of_pipeline_json(p, args.table_id,
                                                   args.what));
        } else {
            of_pipeline_show(p, args.table_id, args.what, &out);
        }
    }
    ovs_mutex_unlock(&ofproto_mutex);
    if (args.json) {
        json_to_ds(array, JSSF_PRETTY | JSSF_SORT, &out);
    }
    unixctl_command_reply(conn, ds_cstr(&out));
    ds_destroy(&out);
    json_destroy(array);
}

void
of_show_init(void)
{
    unixctl_command_register("pipeline/show",
                             "[--json] [bridge [table [rules|plan|insns]]]",
                             0, 4, pipeline_show_cmd, NULL);
}
