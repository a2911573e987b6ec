/* SPDX-License-Identifier: Apache-2.0 */
#include "vm/asm-internal.h"

#include <ctype.h>
#include <errno.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>

/* Errors: the first one sticks. */

void
vm_as_fail(struct vm_as *as, const char *expected)
{
    if (!as->error) {
        char at[24];

        snprintf(at, sizeof at, "%s", as->p);
        as->error = vm_err(as->err, -EINVAL, "line %d: expected %s at '%s'",
                           as->line, expected, at);
    }
}

void
vm_as_skip(struct vm_as *as)
{
    while (isspace((unsigned char) *as->p)) {
        as->p++;
    }
}

static bool
is_word(char c)
{
    return isalnum((unsigned char) c) || c == '_' || c == '.';
}

/* Takes 'token' if it is next; a word only as a whole. */
bool
vm_as_accept(struct vm_as *as, const char *token)
{
    size_t n = strlen(token);

    vm_as_skip(as);
    if (strncmp(as->p, token, n)
        || (is_word(token[n - 1]) && is_word(as->p[n]))) {
        return false;
    }
    as->p += n;
    return true;
}

void
vm_as_expect(struct vm_as *as, const char *token)
{
    if (!vm_as_accept(as, token)) {
        char quoted[VM_AS_NAME];

        snprintf(quoted, sizeof quoted, "'%s'", token);
        vm_as_fail(as, quoted);
    }
}

bool
vm_as_scan_name(struct vm_as *as, char name[VM_AS_NAME])
{
    size_t n = 0;

    vm_as_skip(as);
    if (isdigit((unsigned char) *as->p)) {
        return false;
    }
    while (is_word(as->p[n])) {
        n++;
    }
    if (!n || n >= VM_AS_NAME) {
        return false;
    }
    memcpy(name, as->p, n);
    name[n] = '\0';
    as->p += n;
    return true;
}

/* A register of either width; 'bits' is 0 when any will do and is then set
 * to what it is. */
bool
vm_as_scan_reg(struct vm_as *as, uint8_t *reg, int *bits)
{
    const char *start;
    int width;

    vm_as_skip(as);
    start = as->p;
    if (*as->p != 'r' && *as->p != 'w') {
        return false;
    }
    width = *as->p == 'r' ? 64 : 32;
    if (!isdigit((unsigned char) as->p[1]) || (*bits && *bits != width)) {
        return false;
    }

    char *end;
    unsigned long n = strtoul(as->p + 1, &end, 10);
    if (n >= VM_N_REGS || is_word(*end)) {
        as->p = start;
        return false;
    }
    as->p = end;
    *reg = n;
    *bits = width;
    return true;
}

uint8_t
vm_as_expect_reg(struct vm_as *as, int bits)
{
    uint8_t reg = 0;

    if (!vm_as_scan_reg(as, &reg, &bits)) {
        vm_as_fail(as, bits == 32 ? "a register w0 to w10"
             : "a register r0 to r10");
    }
    return reg;
}

bool
vm_as_scan_int(struct vm_as *as, uint64_t *value)
{
    const char *p;
    char *end;
    bool negative;

    vm_as_skip(as);
    p = as->p;
    negative = *p == '-';
    p += negative || *p == '+';
    if (!isdigit((unsigned char) *p)) {
        return false;
    }
    errno = 0;
    *value = strtoull(p, &end, p[0] == '0' && (p[1] == 'x' || p[1] == 'X')
                      ? 16 : 10);
    if (errno || is_word(*end)) {
        return false;
    }
    *value = negative ? -*value : *value;
    as->p = end;
    return true;
}

/* A 32-bit constant; if 'zext', also one that is written unsigned. */
int32_t
vm_as_expect_imm(struct vm_as *as, bool zext)
{
    uint64_t value = 0;
    const char *start = as->p;

    if (!vm_as_scan_int(as, &value)) {
        vm_as_fail(as, "a register or a constant");
    } else if ((uint64_t) (int64_t) (int32_t) value != value
               && !(zext && value <= UINT32_MAX)) {
        as->p = start;
        vm_as_fail(as, "a constant of 32 bits");
    }
    return value;
}

/* "+ 16)" or "- 16)" or ")". */
int16_t
vm_as_expect_off(struct vm_as *as)
{
    bool negative = vm_as_accept(as, "-");
    uint64_t value = 0;

    if (negative || vm_as_accept(as, "+")) {
        if (!vm_as_scan_int(as, &value) || value > 32767u + negative) {
            vm_as_fail(as, "an offset of 16 bits");
        }
    }
    vm_as_expect(as, ")");
    return negative ? -value : value;
}

/* A size such as u32; '*sign' is NULL when only unsigned ones will do. */
int
vm_as_expect_size(struct vm_as *as, bool *sign)
{
    static const struct {
        const char *name;
        int bits;
        bool sign;
    } sizes[] = {
        { "u8", 8, false }, { "u16", 16, false }, { "u32", 32, false },
        { "u64", 64, false }, { "s8", 8, true }, { "s16", 16, true },
        { "s32", 32, true },
    };

    for (size_t i = 0; i < sizeof sizes / sizeof sizes[0]; i++) {
        if ((sign || !sizes[i].sign) && vm_as_accept(as, sizes[i].name)) {
            if (sign) {
                *sign = sizes[i].sign;
            }
            return sizes[i].bits;
        }
    }
    vm_as_fail(as, sign ? "u8 to u64 or s8 to s32" : "u8 to u64");
    return 8;
}
