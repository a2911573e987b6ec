/* SPDX-License-Identifier: Apache-2.0 */

/* Is an object's BTF sound?  As elf-check.c: names lie in the string table,
 * types refer to types that exist, and no type contains itself. */

#include "vm/elf-internal.h"

#include <linux/btf.h>
#include <stdlib.h>
#include <string.h>

struct btf_view {
    const uint8_t *types;
    uint32_t types_size;
    const char *strings;
    uint32_t strings_size;
    uint32_t *offs;             /* Of type i + 1. */
    uint32_t n;
};

/* Bytes after struct btf_type, or -1 for a kind that is not known. */
static int64_t
extra_size(const struct btf_type *t)
{
    uint64_t vlen = BTF_INFO_VLEN(t->info);

    switch (BTF_INFO_KIND(t->info)) {
    case BTF_KIND_INT:
    case BTF_KIND_VAR:
    case BTF_KIND_DECL_TAG:
        return 4;
    case BTF_KIND_ARRAY:
        return sizeof(struct btf_array);
    case BTF_KIND_STRUCT:
    case BTF_KIND_UNION:
        return vlen * sizeof(struct btf_member);
    case BTF_KIND_ENUM:
        return vlen * sizeof(struct btf_enum);
    case BTF_KIND_ENUM64:
        return vlen * 12;
    case BTF_KIND_FUNC_PROTO:
        return vlen * sizeof(struct btf_param);
    case BTF_KIND_DATASEC:
        return vlen * sizeof(struct btf_var_secinfo);
    case BTF_KIND_PTR:
    case BTF_KIND_FWD:
    case BTF_KIND_TYPEDEF:
    case BTF_KIND_VOLATILE:
    case BTF_KIND_CONST:
    case BTF_KIND_RESTRICT:
    case BTF_KIND_FUNC:
    case BTF_KIND_FLOAT:
    case BTF_KIND_TYPE_TAG:
        return 0;
    default:
        return -1;
    }
}

static const struct btf_type *
type_at(const struct btf_view *v, uint32_t id)
{
    return (const void *) (v->types + v->offs[id - 1]);
}

static bool
is_kind(const struct btf_view *v, uint32_t id, uint32_t kind)
{
    return id && id <= v->n && BTF_INFO_KIND(type_at(v, id)->info) == kind;
}

static bool
name_ok(const struct btf_view *v, uint32_t off)
{
    return off < v->strings_size;
}

static bool
split(struct btf_view *v)
{
    for (uint32_t off = 0; off < v->types_size;) {
        const struct btf_type *t = (const void *) (v->types + off);
        uint32_t left = v->types_size - off;
        int64_t extra = left < sizeof *t ? -1 : extra_size(t);

        if (extra < 0 || (uint64_t) extra > left - sizeof *t) {
            return false;
        }
        v->offs[v->n++] = off;
        off += sizeof *t + extra;
    }
    return true;
}

/* Members, parameters and variables: names and types exist. */
static bool
parts_ok(const struct btf_view *v, const struct btf_type *t)
{
    const uint32_t *p = (const uint32_t *) (t + 1);
    uint32_t vlen = BTF_INFO_VLEN(t->info);

    switch (BTF_INFO_KIND(t->info)) {
    case BTF_KIND_ARRAY:
        return p[0] <= v->n && p[1] <= v->n;
    case BTF_KIND_STRUCT:
    case BTF_KIND_UNION:
        for (uint32_t i = 0; i < vlen; i++) {
            if (!name_ok(v, p[3 * i]) || p[3 * i + 1] > v->n) {
                return false;
            }
        }
        return true;
    case BTF_KIND_ENUM:
    case BTF_KIND_ENUM64:
        for (uint32_t i = 0; i < vlen; i++) {
            uint32_t step = BTF_INFO_KIND(t->info) == BTF_KIND_ENUM ? 2 : 3;

            if (!name_ok(v, p[step * i])) {
                return false;
            }
        }
        return true;
    case BTF_KIND_FUNC_PROTO:
        for (uint32_t i = 0; i < vlen; i++) {
            if (!name_ok(v, p[2 * i]) || p[2 * i + 1] > v->n) {
                return false;
            }
        }
        return true;
    case BTF_KIND_DATASEC:
        for (uint32_t i = 0; i < vlen; i++) {
            if (!is_kind(v, p[3 * i], BTF_KIND_VAR)
                && !is_kind(v, p[3 * i], BTF_KIND_FUNC)) {
                return false;
            }
        }
        return true;
    default:
        return true;
    }
}

static bool
type_ok(const struct btf_view *v, const struct btf_type *t)
{
    switch (BTF_INFO_KIND(t->info)) {
    case BTF_KIND_FUNC:
        if (!is_kind(v, t->type, BTF_KIND_FUNC_PROTO)) {
            return false;
        }
        break;
    case BTF_KIND_VAR:
    case BTF_KIND_DECL_TAG:
        if (!t->type || t->type > v->n) {
            return false;
        }
        break;
    case BTF_KIND_PTR:
    case BTF_KIND_TYPEDEF:
    case BTF_KIND_VOLATILE:
    case BTF_KIND_CONST:
    case BTF_KIND_RESTRICT:
    case BTF_KIND_TYPE_TAG:
    case BTF_KIND_FUNC_PROTO:
        if (t->type > v->n) {
            return false;
        }
        break;
    }
    return name_ok(v, t->name_off) && parts_ok(v, t);
}

/* Chains of modifiers and arrays end: no type is made of itself. */
static bool
ends(const struct btf_view *v, uint32_t id)
{
    for (uint32_t i = 0; id && i <= v->n; i++) {
        const struct btf_type *t = type_at(v, id);

        switch (BTF_INFO_KIND(t->info)) {
        case BTF_KIND_ARRAY:
            id = ((const struct btf_array *) (t + 1))->type;
            break;
        case BTF_KIND_TYPEDEF:
        case BTF_KIND_VOLATILE:
        case BTF_KIND_CONST:
        case BTF_KIND_RESTRICT:
        case BTF_KIND_TYPE_TAG:
        case BTF_KIND_PTR:
            id = t->type;
            break;
        default:
            return true;
        }
    }
    return !id;
}

static bool
all_ok(struct btf_view *v)
{
    if (!split(v)) {
        return false;
    }
    for (uint32_t id = 1; id <= v->n; id++) {
        if (!type_ok(v, type_at(v, id))) {
            return false;
        }
    }
    for (uint32_t id = 1; id <= v->n; id++) {
        if (!ends(v, id)) {
            return false;
        }
    }
    return true;
}

bool
vm_elf_btf_ok(const uint8_t *data, size_t size)
{
    const struct btf_header *h = (const void *) data;
    struct btf_view v = { .n = 0 };

    if (size < sizeof *h || h->magic != BTF_MAGIC || h->version != 1
        || h->hdr_len != sizeof *h || h->type_off % 4
        || h->type_off > size - sizeof *h
        || h->type_len > size - sizeof *h - h->type_off
        || h->str_off > size - sizeof *h
        || h->str_len > size - sizeof *h - h->str_off || !h->str_len) {
        return false;
    }
    v.types = data + sizeof *h + h->type_off;
    v.types_size = h->type_len;
    v.strings = (const char *) data + sizeof *h + h->str_off;
    v.strings_size = h->str_len;
    if (v.strings[0] || v.strings[v.strings_size - 1]) {
        return false;
    }
    v.offs = calloc(v.types_size / sizeof(struct btf_type) + 1,
                    sizeof *v.offs);

    bool ok = v.offs && all_ok(&v);
    free(v.offs);
    return ok;
}
