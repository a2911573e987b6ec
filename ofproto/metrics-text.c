/* SPDX-License-Identifier: Apache-2.0 */

/* What there is to say about bridges: ports, tables, controllers, rules. */

#include <config.h>
#include "ofproto/metrics.h"

#include <inttypes.h>
#include <stdlib.h>
#include "datapath/dp.h"
#include "hash.h"
#include "hindex.h"
#include "netdev.h"
#include "ofproto/compile/compile.h"
#include "ofproto/of.h"
#include "openvswitch/dynamic-string.h"
#include "openvswitch/hmap.h"
#include "openvswitch/ofp-util.h"
#include "util.h"

/* So that a request keeps the main thread for some milliseconds at most: of
 * how many rules the counters are read, and how many rows that makes. */
enum { MAX_RULES = 100000, MAX_COOKIES = 10000 };

/* Ports. */

static const struct {
    const char *name, *help;
    size_t offset;
} port_counters[] = {
#define COUNTER(NAME, MEMBER, HELP) \
    { "bvs_port_" NAME, HELP, offsetof(struct dp_port_stats, MEMBER) }
    COUNTER("receive_packets", rx_packets, "Packets received."),
    COUNTER("receive_bytes", rx_bytes, "Bytes received."),
    COUNTER("receive_dropped", rx_dropped, "Packets dropped when received."),
    COUNTER("transmit_packets", tx_packets, "Packets sent."),
    COUNTER("transmit_bytes", tx_bytes, "Bytes sent."),
    COUNTER("transmit_dropped", tx_dropped, "Packets that did not leave."),
#undef COUNTER
};

static void
put_port(struct ds *out, const char *sample, const struct of_bridge *bridge,
         const struct of_port *port, uint64_t value)
{
    char number[16];

    snprintf(number, sizeof number, "%"PRIu32,
             ofp_to_u16(port->up.ofp_port));
    dp_metric(out, sample, value, "bridge", bridge->dpif.up.name,
              "port", netdev_get_name(port->up.netdev), "number", number,
              NULL);
}

/* Families must not be interleaved, so each has its own round. */
static void
put_ports(struct ds *out)
{
    const struct of_bridge *bridge;
    const struct of_port *port;

    for (size_t i = 0; i < ARRAY_SIZE(port_counters); i++) {
        char *sample = xasprintf("%s_total", port_counters[i].name);

        dp_metric_family(out, port_counters[i].name, "counter",
                         port_counters[i].help);
        OF_BRIDGE_FOR_EACH (bridge) {
            HMAP_FOR_EACH (port, up.hmap_node, &bridge->dpif.up.ports) {
                struct dp_port_stats stats;

                if (port->dpp) {
                    dp_port_get_stats(port->dpp, &stats);
                    put_port(out, sample, bridge, port,
                             *(const uint64_t *) (const void *)
                             ((const uint8_t *) &stats
                              + port_counters[i].offset));
                }
            }
        }
        free(sample);
    }
    dp_metric_family(out, "bvs_port_up", "gauge",
                     "1 if the port and its link are up.");
    OF_BRIDGE_FOR_EACH (bridge) {
        HMAP_FOR_EACH (port, up.hmap_node, &bridge->dpif.up.ports) {
            put_port(out, "bvs_port_up", bridge, port,
                     !(port->up.pp.config & OFPUTIL_PC_PORT_DOWN)
                     && !(port->up.pp.state & OFPUTIL_PS_LINK_DOWN));
        }
    }
}

/* Tables. */

enum table_figure {
    LOOKUPS, MATCHES, RULES, MAP_ENTRIES, MAP_BYTES, N_TABLE_FIGURES
};

static const struct {
    const char *name, *type, *help;
} table_figures[N_TABLE_FIGURES] = {
    [LOOKUPS] = { "bvs_table_lookups", "counter", "Packets looked up." },
    [MATCHES] = { "bvs_table_matches", "counter",
                  "Packets that a rule matched." },
    [RULES] = { "bvs_table_rules", "gauge",
                "Rules, with those for in-band control." },
    [MAP_ENTRIES] = { "bvs_table_map_entries", "gauge",
                      "Entries of the maps that it is looked up in." },
    [MAP_BYTES] = { "bvs_table_map_bytes", "gauge",
                    "Memory of these maps." },
};

static void
put_table(struct ds *out, enum table_figure figure,
          const struct of_bridge *bridge, uint8_t table_id)
{
    const char *name = table_figures[figure].name;
    struct of_table_info info = { .plan = NULL };
    uint64_t lookups, matches;
    char id[8], total[64];
    uint64_t value;

    dp_table_counts(bridge->dpb, table_id, &lookups, &matches);
    if (!of_pipeline_table_info(bridge->pipeline, table_id, &info)
        && (!lookups || figure >= RULES)) {
        return;
    }
    value = (figure == LOOKUPS ? lookups
             : figure == MATCHES ? matches
             : figure == RULES ? info.n_entries
             : figure == MAP_ENTRIES ? info.map_entries : info.map_bytes);
    snprintf(id, sizeof id, "%u", table_id);
    snprintf(total, sizeof total, "%s_total", name);
    dp_metric(out, figure <= MATCHES ? total : name, value,
              "bridge", bridge->dpif.up.name, "table", id,
              figure >= MAP_ENTRIES ? "plan" : NULL, info.plan, NULL);
}

static void
put_tables(struct ds *out)
    OVS_REQUIRES(ofproto_mutex)
{
    const struct of_bridge *bridge;

    for (int figure = 0; figure < N_TABLE_FIGURES; figure++) {
        dp_metric_family(out, table_figures[figure].name,
                         table_figures[figure].type,
                         table_figures[figure].help);
        OF_BRIDGE_FOR_EACH (bridge) {
            for (int id = 0; id < bridge->dpif.up.n_tables; id++) {
                put_table(out, figure, bridge, id);
            }
        }
    }
}

/* Controllers. */

static void
put_controllers(struct ds *out)
{
    static const char *const roles[] = {
        [OFPCR12_ROLE_NOCHANGE] = "none", [OFPCR12_ROLE_EQUAL] = "other",
        [OFPCR12_ROLE_PRIMARY] = "primary",
        [OFPCR12_ROLE_SECONDARY] = "secondary",
    };
    const struct of_bridge *bridge;

    dp_metric_family(out, "bvs_controller_connected", "gauge",
                     "1 if the bridge has a connection to the controller.");
    OF_BRIDGE_FOR_EACH (bridge) {
        struct shash controllers = SHASH_INITIALIZER(&controllers);
        const struct shash_node *node;

        ofproto_get_ofproto_controller_info(&bridge->dpif.up, &controllers);
        SHASH_FOR_EACH (node, &controllers) {
            const struct ofproto_controller_info *info = node->data;

            dp_metric(out, "bvs_controller_connected", info->is_connected,
                      "bridge", bridge->dpif.up.name, "target", node->name,
                      "role", (info->role < ARRAY_SIZE(roles)
                               ? roles[info->role] : "none"), NULL);
        }
        ofproto_free_ofproto_controller_info(&controllers);
    }
}

/* Rules by cookie. */

struct cookie {
    struct hmap_node node;
    const struct of_bridge *bridge;
    uint8_t table_id;
    ovs_be64 cookie;
    uint64_t packets, bytes, rules;
};

static struct cookie *
get_cookie(struct hmap *cookies, const struct rule *rule)
{
    const struct of_bridge *bridge = of_bridge_cast(rule->ofproto);
    uint32_t hash = hash_uint64_basis(ntohll(rule->flow_cookie),
                                      hash_pointer(bridge, rule->table_id));
    struct cookie *c;

    HMAP_FOR_EACH_WITH_HASH (c, node, hash, cookies) {
        if (c->bridge == bridge && c->table_id == rule->table_id
            && c->cookie == rule->flow_cookie) {
            return c;
        }
    }
    if (hmap_count(cookies) >= MAX_COOKIES) {
        return NULL;
    }
    c = xzalloc(sizeof *c);
    c->bridge = bridge;
    c->table_id = rule->table_id;
    c->cookie = rule->flow_cookie;
    hmap_insert(cookies, &c->node, hash);
    return c;
}

/* Returns the number of rules that were left out. */
static uint64_t
sum_cookies(struct hmap *cookies)
    OVS_REQUIRES(ofproto_mutex)
{
    uint64_t n = 0, skipped = 0;
    struct of_bridge *bridge;

    OF_BRIDGE_FOR_EACH (bridge) {
        const struct ofproto *ofproto = &bridge->dpif.up;
        struct rule *rule;

        HINDEX_FOR_EACH (rule, cookie_node, &ofproto->cookies) {
            struct cookie *c;
            struct pkt_stats stats;
            long long int used;

            if (n >= MAX_RULES) {
                break;
            }
            n++;
            c = get_cookie(cookies, rule);
            if (!c) {
                skipped++;
                continue;
            }
            ofproto->ofproto_class->rule_get_stats(rule, &stats, &used);
            c->rules++;
            c->packets += stats.n_packets;
            c->bytes += stats.n_bytes;
        }
        skipped += n >= MAX_RULES ? atomic_count_get(&bridge->n_rules) : 0;
    }
    return skipped;
}

static const struct {
    const char *family, *sample, *type, *help;
    size_t offset;
} cookie_figures[] = {
    { "bvs_cookie_packets", "bvs_cookie_packets_total", "counter",
      "Packets that rules of the cookie matched.",
      offsetof(struct cookie, packets) },
    { "bvs_cookie_bytes", "bvs_cookie_bytes_total", "counter",
      "Bytes of these packets.", offsetof(struct cookie, bytes) },
    { "bvs_cookie_rules", "bvs_cookie_rules", "gauge",
      "Rules with the cookie.", offsetof(struct cookie, rules) },
};

static void
put_cookies(struct ds *out)
    OVS_REQUIRES(ofproto_mutex)
{
    struct hmap cookies = HMAP_INITIALIZER(&cookies);
    uint64_t skipped = sum_cookies(&cookies);
    struct cookie *c;

    for (size_t i = 0; i < ARRAY_SIZE(cookie_figures); i++) {
        dp_metric_family(out, cookie_figures[i].family,
                         cookie_figures[i].type, cookie_figures[i].help);
        HMAP_FOR_EACH (c, node, &cookies) {
            char table[8], cookie[24];

            snprintf(table, sizeof table, "%u", c->table_id);
            snprintf(cookie, sizeof cookie, "%#"PRIx64, ntohll(c->cookie));
            dp_metric(out, cookie_figures[i].sample,
                      *(const uint64_t *) (const void *)
                      ((const uint8_t *) c + cookie_figures[i].offset),
                      "bridge", c->bridge->dpif.up.name, "table", table,
                      "cookie", cookie, NULL);
        }
    }
    dp_metric_family(out, "bvs_cookie_skipped", "gauge",
                     "Rules, at most, that the figures by cookie leave out "
                     "because there are too many.");
    dp_metric(out, "bvs_cookie_skipped", skipped, NULL);
    HMAP_FOR_EACH_POP (c, node, &cookies) {
        free(c);
    }
    hmap_destroy(&cookies);
}

void
of_metrics_format(bool rules, struct ds *out)
{
    dp_metrics_format(of_dp, out);
    put_ports(out);
    put_controllers(out);
    /* Workers that learn flows change tables, too. */
    ovs_mutex_lock(&ofproto_mutex);
    put_tables(out);
    if (rules) {
        put_cookies(out);
    }
    ovs_mutex_unlock(&ofproto_mutex);
    ds_put_cstr(out, "# EOF\n");
}
