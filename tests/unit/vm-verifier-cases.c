/* SPDX-License-Identifier: Apache-2.0 */

#include "tests/unit/vm-verifier-cases.h"

#include <stddef.h>

#define EXIT "r0 = 0\nexit\n"

/* r2 = data, r3 = data_end. */
#define PACKET "r2 = *(u64 *)(r1 + 8)\nr3 = *(u64 *)(r1 + 16)\n"

/* r0 = value of map 'MAP' or null, for key 0; r6 = context. */
#define LOOKUP(MAP)                                                     \
    "r6 = r1\n*(u32 *)(r10 - 4) = 0\nr2 = r10\nr2 += -4\n"              \
    "r1 = map " MAP "\ncall map_lookup_elem\n"
#define VALUE(MAP) LOOKUP(MAP) "if r0 == 0 goto out\n"
#define OUT "out:\n" EXIT

#define RESERVE "r1 = map ring\nr2 = 16\nr3 = 0\ncall ringbuf_reserve\n"

const struct verifier_case verifier_rejects[] = {
    /* Registers. */
    { "UNINIT", "r0 = r2\nexit\n" },
    { "UNINIT", "exit\n" },
    { "UNINIT", "r0 = 0\nr3 += 1\nexit\n" },
    { "UNINIT", "call take_ctx\nr0 = r1\nexit\n" },
    { "UNINIT", "r2 = *(u32 *)(r1 + 0)\nif r2 > 20 goto a\nr3 = 0\na:\n"
      "r0 = 0\nr3 += 1\nexit\n" },
    { "UNINIT", "r1 = r10\nr1 += -8\nr2 = 8\ncall fill\nexit\n" },
    { "POINTER_ALU", "r1 *= 2\n" EXIT },
    { "POINTER_ALU", "r1 &= -8\n" EXIT },
    { "POINTER_ALU", "r1 = -r1\n" EXIT },
    { "POINTER_ALU", "r2 = r10\nr2 += r1\n" EXIT },
    { "POINTER_ALU", "r2 = 5\nr2 -= r1\n" EXIT },
    { "POINTER_ALU", "r2 = r10\nr2 -= r1\n" EXIT },
    { "POINTER_32", "w1 += 4\n" EXIT },
    { "POINTER_32", "w2 = w1\n" EXIT },
    { "POINTER_FIXED", PACKET "r3 += 1\n" EXIT },
    { "POINTER_FIXED", "r2 = map array\nr2 += 8\n" EXIT },
    { "POINTER_NULL_MATH", LOOKUP("array") "r0 += 4\n" EXIT },
    { "POINTER_RANGE", "r2 = *(u64 *)(r1 + 72)\nr3 = r10\nr3 += r2\n" EXIT },
    { "POINTER_RANGE", "r1 += 0x20000000\n" EXIT },
    { "POINTER_OPERAND", "r2 = (s8)r1\n" EXIT },
    { "POINTER_OPERAND", "*(u64 *)(r10 - 8) = 0\n"
      "lock *(u64 *)(r10 - 8) += r1\n" EXIT },
    { "CTX_MEMBER", "r2 = *(s32 *)(r1 + 8)\n" EXIT },

    /* Memory. */
    { "NOT_POINTER", "r2 = 64\nr0 = *(u8 *)(r2 + 0)\nexit\n" },
    { "NOT_POINTER", "r2 = *(u64 *)(r1 + 72)\nr0 = *(u8 *)(r2 + 0)\n"
      EXIT },
    { "MAYBE_NULL", LOOKUP("array") "r0 = *(u8 *)(r0 + 0)\n" EXIT },
    { "NOT_POINTER", LOOKUP("array") "if r0 != 0 goto a\n"
      "*(u8 *)(r0 + 0) = 1\na:\n" EXIT "\n" },
    { "NO_ACCESS", PACKET "r0 = *(u8 *)(r3 - 1)\n" EXIT },
    { "NO_ACCESS", "r2 = map array\nr0 = *(u64 *)(r2 + 0)\n" EXIT },
    { "NO_ACCESS", VALUE("wronly") "r0 = *(u64 *)(r0 + 0)\n" OUT },
    { "STACK_BOUNDS", "*(u64 *)(r10 - 520) = 0\n" EXIT },
    { "STACK_BOUNDS", "*(u64 *)(r10 + 0) = 0\n" EXIT },
    { "STACK_BOUNDS", "*(u64 *)(r10 - 4) = 0\n" EXIT },
    { "STACK_BOUNDS", "r2 = *(u32 *)(r1 + 0)\nr3 = r10\nr3 -= r2\n"
      "*(u8 *)(r3 + 0) = 0\n" EXIT },
    { "STACK_UNINIT", "r0 = *(u64 *)(r10 - 8)\n" EXIT },
    { "STACK_UNINIT", "*(u32 *)(r10 - 8) = 0\nr0 = *(u64 *)(r10 - 8)\n"
      EXIT },
    { "STACK_UNINIT", "r2 = r10\nr2 += -4\nr1 = map array\n"
      "call map_lookup_elem\n" EXIT },
    { "STACK_UNINIT", "r2 = *(u32 *)(r1 + 0)\nif r2 > 20 goto a\n"
      "*(u64 *)(r10 - 8) = 1\na:\nr0 = *(u64 *)(r10 - 8)\n" EXIT },
    { "STACK_SPILL", "*(u64 *)(r10 - 8) = r1\nr0 = *(u32 *)(r10 - 8)\n"
      EXIT },
    { "STACK_SPILL", "*(u32 *)(r10 - 8) = r1\n" EXIT },
    { "STACK_SPILL", "*(u64 *)(r10 - 12) = r1\n" EXIT },
    { "STACK_VARIABLE", "r2 = *(u32 *)(r1 + 0)\nr2 &= 8\nr3 = r10\n"
      "r3 -= r2\n*(u64 *)(r3 - 8) = r1\n" EXIT },
    { "PACKET_BOUNDS", PACKET "r0 = *(u8 *)(r2 + 0)\n" EXIT },
    { "PACKET_BOUNDS", PACKET "r4 = r2\nr4 += 14\nif r4 > r3 goto out\n"
      "r0 = *(u8 *)(r2 + 14)\n" OUT },
    { "PACKET_BOUNDS", PACKET "r4 = r2\nr4 += 14\nif r4 >= r3 goto a\n"
      EXIT "a:\nr0 = *(u8 *)(r2 + 0)\n" EXIT },
    { "PACKET_BOUNDS", PACKET "r4 = r2\nr4 += 14\nif r4 > r3 goto out\n"
      "r5 = *(u8 *)(r2 + 0)\nr2 += r5\nr0 = *(u8 *)(r2 + 0)\n" OUT },
    { "PACKET_BOUNDS", "r4 = *(u64 *)(r1 + 24)\nr0 = *(u8 *)(r4 + 0)\n"
      EXIT },
    { "PACKET_NEGATIVE", PACKET "r4 = r2\nr4 += 14\nif r4 > r3 goto out\n"
      "r0 = *(u8 *)(r2 - 1)\n" OUT },
    { "VALUE_BOUNDS", VALUE("array") "r0 = *(u64 *)(r0 + 12)\n" OUT },
    { "VALUE_BOUNDS", VALUE("array") "*(u8 *)(r0 - 1) = 0\n" OUT },
    { "VALUE_BOUNDS", VALUE("array") "r2 = *(u32 *)(r6 + 0)\nr0 += r2\n"
      "*(u8 *)(r0 + 0) = 0\n" OUT },
    { "VALUE_BOUNDS", VALUE("array") "r2 = *(u64 *)(r6 + 72)\n"
      "if r2 s> 8 goto out\nif r2 s< -100000 goto out\nr0 += r2\n"
      "*(u8 *)(r0 + 0) = 0\n" OUT },
    { "MEM_BOUNDS", "r2 = *(u64 *)(r1 + 32)\nr0 = *(u64 *)(r2 + 16)\n"
      EXIT },
    { "MEM_BOUNDS", "r2 = 8\ncall get_mem\nif r0 == 0 goto out\n"
      "*(u64 *)(r0 + 8) = 0\n" OUT },
    { "READ_ONLY", "r2 = *(u64 *)(r1 + 32)\n*(u8 *)(r2 + 0) = 1\n" EXIT },
    { "READ_ONLY", "r2 = map_value rodata + 0\n*(u8 *)(r2 + 0) = 1\n" EXIT },
    { "STORE_POINTER", VALUE("array") "*(u64 *)(r0 + 0) = r6\n" OUT },
    { "STORE_POINTER", "*(u64 *)(r1 + 72) = r1\n" EXIT },
    { "ATOMIC_TARGET", PACKET "r4 = r2\nr4 += 14\nif r4 > r3 goto out\n"
      "r5 = 1\nlock *(u32 *)(r2 + 0) += w5\n" OUT },
    { "ATOMIC_ALIGN", "*(u64 *)(r10 - 8) = 0\n*(u64 *)(r10 - 16) = 0\n"
      "r2 = 1\nlock *(u64 *)(r10 - 12) += r2\n" EXIT },
    { "CTX_OFFSET", "r2 = *(u32 *)(r1 + 0)\nr1 += r2\n"
      "r0 = *(u32 *)(r1 + 0)\n" EXIT },
    { "CTX_MEMBER", "r0 = *(u32 *)(r1 + 100)\n" EXIT },
    { "CTX_MEMBER", "r0 = *(u64 *)(r1 + 0)\n" EXIT },
    { "CTX_MEMBER", "r0 = *(u64 *)(r1 + 48)\n" EXIT },
    { "CTX_MEMBER", "r0 = *(u32 *)(r1 + 8)\n" EXIT },
    { "CTX_MEMBER", "*(u32 *)(r1 + 72) = 0\n" EXIT },
    { "CTX_READ_ONLY", "*(u32 *)(r1 + 0) = 20\n" EXIT },
    { "CTX_READ_ONLY", "r2 = 0\n*(u64 *)(r1 + 8) = r2\n" EXIT },
    { "CTX_RANGE", "*(u32 *)(r1 + 4) = 256\n" EXIT },
    { "CTX_RANGE", "r2 = *(u32 *)(r1 + 0)\n*(u32 *)(r1 + 4) = r2\n" EXIT },
    { "CTX_ATOMIC", "r2 = 1\nlock *(u64 *)(r1 + 72) += r2\n" EXIT },
    { "CTX_MIXED", "*(u32 *)(r10 - 4) = 0\nr2 = *(u32 *)(r1 + 0)\n"
      "r3 = r1\nr3 += 80\nif r2 > 100 goto a\nr3 = r10\nr3 += -4\na:\n"
      "r0 = *(u32 *)(r3 + 0)\n" EXIT },

    /* Calls. */
    { "ARG_TYPE", "r1 += 4\ncall take_ctx\n" EXIT },
    { "ARG_TYPE", "r1 = 0\ncall take_ctx\n" EXIT },
    { "ARG_TYPE", "r1 = r10\ncall take_ctx\n" EXIT },
    { "ARG_TYPE", "call number\n" EXIT },
    { "ARG_TYPE", "r2 = r1\nr1 = 0\ncall map_lookup_elem\n" EXIT },
    { "ARG_TYPE", "r2 = 0\nr1 = map array\ncall map_lookup_elem\n" EXIT },
    { "ARG_NULL", LOOKUP("array") "r1 = r0\nr2 = 4\ncall hash\n" EXIT },
    { "ARG_NULL", "r1 = 0\nr2 = 4\ncall sum\n" EXIT },
    { "ARG_SIZE", "r2 = *(u64 *)(r1 + 72)\nr1 = r10\nr1 += -8\ncall fill\n"
      EXIT },
    { "ARG_SIZE", "r1 = r10\nr1 += -8\nr2 = -8\ncall fill\n" EXIT },
    { "ARG_SIZE_ZERO", "r2 = *(u64 *)(r1 + 72)\nr2 &= 7\nr1 = r10\n"
      "r1 += -8\ncall fill\n" EXIT },
    { "ARG_CONST", "r2 = *(u32 *)(r1 + 0)\ncall get_mem\n" EXIT },
    { "ARG_MAP_KIND", "r2 = r10\nr2 += -4\n*(u32 *)(r2 + 0) = 0\n"
      "r1 = map progs\ncall map_lookup_elem\n" EXIT },
    { "ARG_MAP_KIND", "r2 = map hash\nr3 = 0\ncall tail_call\n" EXIT },
    { "ARG_PACKET", PACKET "r4 = r2\nr4 += 14\nif r4 > r3 goto out\n"
      "r1 = r2\nr2 = 4\ncall hash\n" OUT },
    { "ARG_RELEASE", "r1 = r10\nr1 += -8\nr2 = 0\ncall ringbuf_submit\n"
      EXIT },
    { "ARG_RELEASE", RESERVE "if r0 == 0 goto out\nr1 = r0\nr1 += 4\n"
      "r2 = 0\ncall ringbuf_submit\n" OUT },
    { "REF_LEAK", RESERVE "if r0 == 0 goto out\n*(u64 *)(r0 + 0) = 1\n"
      OUT },
    { "REF_LEAK", "r6 = r1\n" RESERVE "if r0 == 0 goto out\nr1 = r6\n"
      "r2 = map progs\nr3 = 0\nr7 = r0\ncall tail_call\nr1 = r7\nr2 = 0\n"
      "call ringbuf_discard\n" OUT },
    { "UNINIT", RESERVE "if r0 == 0 goto out\nr6 = r0\nr1 = r0\nr2 = 0\n"
      "call ringbuf_submit\n*(u8 *)(r6 + 0) = 1\n" OUT },
    { "TOO_MANY_REFS", RESERVE RESERVE RESERVE RESERVE RESERVE RESERVE
      RESERVE RESERVE RESERVE EXIT },
    { "FRAMES", "call f\n" EXIT "f:\ncall f\n" EXIT },
    { "RETURN_POINTER", "r0 = r1\nexit\n" },
    { "RETURN_POINTER", "r0 = r10\nexit\n" },
    { "RETURN_RANGE", "r0 = 5\nexit\n" },
    { "RETURN_RANGE", "r0 = *(u32 *)(r1 + 0)\nexit\n" },
    { "RETURN_STACK", "call f\n" EXIT "f:\nr0 = r10\nexit\n" },
    { "RETURN_STACK", "r1 = r10\nr1 += -8\n*(u64 *)(r1 + 0) = 0\ncall f\n"
      EXIT "f:\n*(u64 *)(r1 + 0) = r10\n" EXIT },

    /* Packet pointers after the packet has moved. */
    { "UNINIT", "r6 = r1\n" "r7 = *(u64 *)(r1 + 8)\n"
      "r3 = *(u64 *)(r1 + 16)\nr4 = r7\nr4 += 14\nif r4 > r3 goto out\n"
      "call move_packet\nr0 = *(u8 *)(r7 + 0)\n" OUT },

    /* 32-bit arithmetic must not be taken for 64-bit. */
    { "VALUE_BOUNDS", VALUE("array") "r2 = *(u64 *)(r6 + 72)\n"
      "if w2 > 8 goto out\nr3 = r2\nr3 >>= 32\nr3 &= 255\nr0 += r3\n"
      "*(u8 *)(r0 + 0) = 0\n" OUT },
    { "POINTER_RANGE", VALUE("array") "r2 = *(u64 *)(r6 + 72)\n"
      "if w2 > 8 goto out\nr0 += r2\n*(u8 *)(r0 + 0) = 0\n" OUT },
    { "VALUE_BOUNDS", VALUE("array") "r2 = *(u32 *)(r6 + 0)\nr2 <<= 1\n"
      "if w2 s> 100 goto out\nr0 += r2\n*(u8 *)(r0 + 0) = 0\n" OUT },

    /* The whole. */
    { "ENDLESS", "again:\ngoto again\n" },
    { "ENDLESS", "r2 = *(u32 *)(r1 + 0)\nagain:\nif r2 > 20 goto again\n"
      EXIT },
    { "PATH", "r0 = 0\nagain:\nr0 += 1\nif r0 < 4000 goto again\n" EXIT },
    { NULL, NULL }
};

const struct verifier_case verifier_accepts[] = {
    { "nothing", EXIT },
    { "packet bounds, all ways to compare",
      PACKET "r4 = r2\nr4 += 14\nif r4 > r3 goto out\n"
      "r0 = *(u8 *)(r2 + 13)\nif r3 < r4 goto out\nr0 = *(u8 *)(r2 + 0)\n"
      OUT },
    { "packet, less than the end",
      PACKET "r4 = r2\nr4 += 13\nif r4 >= r3 goto out\n"
      "r0 = *(u8 *)(r2 + 13)\n" OUT },
    { "packet, a variable header",
      PACKET "r4 = r2\nr4 += 14\nif r4 > r3 goto out\n"
      "r5 = *(u8 *)(r2 + 0)\nr5 &= 15\nr5 <<= 2\nr2 += r5\nr4 = r2\n"
      "r4 += 4\nif r4 > r3 goto out\nr0 = *(u32 *)(r2 + 0)\n" OUT },
    { "metadata up to data",
      "r2 = *(u64 *)(r1 + 24)\nr3 = *(u64 *)(r1 + 8)\nr4 = r2\nr4 += 4\n"
      "if r4 > r3 goto out\nr0 = *(u32 *)(r2 + 0)\n" OUT },
    { "spilled and filled",
      PACKET "*(u64 *)(r10 - 8) = r2\nr4 = r2\nr4 += 14\n"
      "if r4 > r3 goto out\nr5 = *(u64 *)(r10 - 8)\n"
      "r0 = *(u8 *)(r5 + 13)\n" OUT },
    { "null check through a copy",
      LOOKUP("array") "r7 = r0\nif r0 == 0 goto out\n"
      "*(u64 *)(r7 + 8) = 1\n" OUT },
    { "number bounded through a copy",
      VALUE("array") "r2 = *(u32 *)(r6 + 0)\nr3 = r2\nif r3 > 15 goto out\n"
      "r0 += r2\n*(u8 *)(r0 + 0) = 1\n" OUT },
    { "signed bounds", VALUE("array") "r2 = *(u64 *)(r6 + 72)\n"
      "if r2 s> 8 goto out\nif r2 s< 0 goto out\nr0 += r2\n"
      "*(u8 *)(r0 + 0) = 1\n" OUT },
    { "masks and shifts", VALUE("array") "r2 = *(u64 *)(r6 + 72)\n"
      "r2 >>= 60\nr0 += r2\n*(u8 *)(r0 + 0) = 1\n" OUT },
    { "a modulo bounds", VALUE("array") "r2 = *(u64 *)(r6 + 72)\n"
      "r2 %= 16\nr0 += r2\n*(u8 *)(r0 + 0) = 1\n" OUT },
    { "context members", "r2 = *(u32 *)(r1 + 0)\nif r2 > 1500 goto bad\n"
      "*(u32 *)(r1 + 4) = 255\nr3 = *(u64 *)(r1 + 40)\n"
      "*(u64 *)(r3 + 8) = r2\n*(u16 *)(r1 + 70) = 7\n" EXIT
      "bad:\nr0 = *(u8 *)(r2 + 0)\nexit\n" },
    { "atomics", "*(u64 *)(r10 - 8) = 0\nr2 = 1\n"
      "lock *(u64 *)(r10 - 8) += r2\nw2 = atomic_fetch_add((u32 *)(r1 + 56),"
      " w2)\n" EXIT },
    { "helper memory", "r6 = r1\nr2 = 16\ncall get_mem\n"
      "if r0 == 0 goto out\n*(u64 *)(r0 + 8) = 1\n" OUT },
    { "helper fills the stack", "r1 = r10\nr1 += -16\nr2 = 16\ncall fill\n"
      "r0 = *(u64 *)(r10 - 16)\n" EXIT },
    { "no memory, no size", "r1 = 0\nr2 = 0\ncall sum\n" EXIT },
    { "reserved and given back", RESERVE "if r0 == 0 goto out\n"
      "*(u64 *)(r0 + 8) = 1\nr1 = r0\nr2 = 0\ncall ringbuf_submit\n" OUT },
    { "local functions", "r6 = 3\nr1 = r10\nr1 += -8\ncall f\n"
      "r0 = *(u64 *)(r10 - 8)\nr0 &= 3\nexit\n"
      "f:\nr6 = 1\n*(u64 *)(r1 + 0) = r6\n" EXIT },
    { "a bounded loop", "r0 = 0\nr2 = 0\nagain:\nr2 += 2\nr0 ^= 1\n"
      "if r2 < 200 goto again\nexit\n" },
    { "a loop over the packet", PACKET "r5 = 0\nagain:\nr4 = r2\nr4 += 1\n"
      "if r4 > r3 goto out\nr0 = *(u8 *)(r2 + 0)\nr2 += 1\nr5 += 1\n"
      "if r5 < 40 goto again\n" OUT },
    { "tail call", "r2 = map progs\nr3 = 1\ncall tail_call\n" EXIT },
    { "dead code", "r0 = 0\nif r0 == 0 goto out\nr0 = *(u8 *)(r9 + 0)\n"
      OUT },
    { "known result of a helper", "call take_ctx\nif r0 > 10 goto bad\n"
      EXIT "bad:\nr0 = *(u8 *)(r0 + 0)\nexit\n" },
    { NULL, NULL }
};
