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
    { "packet length in 32 bits, as compilers take it",
      PACKET "w4 = w3\nw4 -= w2\nw3 -= w2\nw0 = w4\n" EXIT },
    { "a load of unwritten stack that is not used then",
      "r2 = *(u32 *)(r1 + 0)\nif r2 > 20 goto a\n*(u64 *)(r10 - 8) = 1\n"
      "a:\nr3 = *(u64 *)(r10 - 8)\nr0 = 0\nif r2 > 20 goto b\n"
      "r0 = r3\nb:\nexit\n" },
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
