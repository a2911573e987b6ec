/* SPDX-License-Identifier: Apache-2.0 */

#include "utilities/db-schema.h"

/* The assembler reads the files; BVS_OVS_SRC is the folder of Open vSwitch's
 * sources, given by the Makefile. */
#define EMBED_TEXT(SYMBOL, FILE)                \
    __asm__(".section .rodata\n"                \
            ".global " SYMBOL "\n"              \
            ".type " SYMBOL ", %object\n"       \
            SYMBOL ":\n"                        \
            ".incbin \"" FILE "\"\n"            \
            ".byte 0\n"                         \
            ".size " SYMBOL ", .-" SYMBOL "\n"  \
            ".previous\n")

EMBED_TEXT("db_schema_vswitch", BVS_OVS_SRC "/vswitchd/vswitch.ovsschema");
EMBED_TEXT("db_schema_server", BVS_OVS_SRC "/ovsdb/_server.ovsschema");
