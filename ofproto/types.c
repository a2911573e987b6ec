/* SPDX-License-Identifier: Apache-2.0 */

/* Datapath types.
 *
 * All bridges of all types share the one datapath of the process; a type only
 * says what its internal ports are. */

#include <string.h>
#include "ofproto/of.h"
#include "ofproto/of-private.h"
#include "sset.h"
#include "util.h"

/* Types, and what each has become. */
struct of_type {
    const char *name;
    bool disallowed;            /* --disable-system. */
    bool dummy;                 /* Dummies take its place. */
};

static struct of_type types[] = {
    { .name = "system" },
    { .name = "netdev" },
    { .name = "ebpf" },
    { .name = "dummy", .disallowed = true },
};

static bool dummies_enabled;

static struct of_type *
type_find(const char *name)
{
    if (!name[0]) {
        name = "system";
    }
    for (size_t i = 0; i < ARRAY_SIZE(types); i++) {
        if (!strcmp(types[i].name, name)) {
            return &types[i];
        }
    }
    return NULL;
}

void
of_provider_disallow_type(const char *name)
{
    struct of_type *type = type_find(name);

    if (type) {
        type->disallowed = true;
    }
}

void
of_types_enumerate(struct sset *names)
{
    for (size_t i = 0; i < ARRAY_SIZE(types); i++) {
        if (!types[i].disallowed) {
            sset_add(names, types[i].name);
        }
    }
}

bool
of_type_is_first(const char *name)
{
    for (size_t i = 0; i < ARRAY_SIZE(types); i++) {
        if (!types[i].disallowed) {
            return !strcmp(types[i].name, name);
        }
    }
    return false;
}

bool
of_type_is_dummy(const char *name)
{
    const struct of_type *type = type_find(name);

    return type && type->dummy;
}

bool
of_dummies_enabled(void)
{
    return dummies_enabled;
}

/* As dpif-netdev: an internal port is a tap. */
const char *
of_port_open_type(const char *datapath_type, const char *port_type)
{
    if (strcmp(port_type, "internal")) {
        return port_type;
    }
    return of_type_is_dummy(datapath_type) ? "dummy-internal" : "tap";
}

void
of_types_enable_dummies(enum dummy_level level)
{
    dummies_enabled = true;
    for (size_t i = 0; i < ARRAY_SIZE(types); i++) {
        struct of_type *type = &types[i];

        if (!strcmp(type->name, "dummy")) {
            type->disallowed = false;
            type->dummy = true;
        } else if (level == DUMMY_OVERRIDE_ALL
                   || (level == DUMMY_OVERRIDE_SYSTEM
                       && !strcmp(type->name, "system"))) {
            type->dummy = true;
        }
    }
}
