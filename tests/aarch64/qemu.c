/* SPDX-License-Identifier: Apache-2.0 */

/* For programs that run under QEMU: the linker puts this in the place of
 * __clear_cache().
 *
 * QEMU translates code once, and translates it anew when its page is written
 * to or mapped writable.  Code that comes by pwrite() to the file of a shared
 * mapping shows only in the instruction that invalidates the cache, which
 * QEMU before 8.1 ignores. */

#include <stdint.h>
#include <sys/mman.h>
#include <unistd.h>

void __wrap___clear_cache(char *begin, char *end);

void
__wrap___clear_cache(char *begin, char *end)
{
    uintptr_t page = sysconf(_SC_PAGESIZE);
    uintptr_t from = (uintptr_t) begin & -page;
    size_t size = ((uintptr_t) end + page - 1 - from) & -page;

    if (mprotect((void *) from, size, PROT_READ | PROT_WRITE | PROT_EXEC)
        || mprotect((void *) from, size, PROT_READ | PROT_EXEC)) {
        _exit(125);
    }
}
