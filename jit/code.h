/* SPDX-License-Identifier: Apache-2.0 */
#ifndef JIT_CODE_H
#define JIT_CODE_H 1

/* Executable memory.
 *
 * Arenas of JIT_ARENA bytes, or of as many times that as a long program
 * needs, lie within reach of direct calls of this
 * program's own text.  Each is a memory file that is mapped readable and
 * executable, never writable; code is put there with pwrite(), which needs no
 * writable mapping.  Small programs share pages; freed pieces are reused.
 *
 * Threads: all functions take one lock.  The caller frees a piece when no
 * thread runs it any more. */

#include <stddef.h>
#include <stdint.h>

#define JIT_ARENA ((size_t) 2 << 20)
#define JIT_MAX_PIECE ((size_t) 64 << 20)
#define JIT_ALIGN 32u           /* Of a piece's start. */

/* Reserves 'size' bytes; returns where they will run, or NULL (errno is
 * ENOMEM).  The memory holds traps until jit_code_write(). */
uint8_t *jit_code_alloc(size_t size);

/* Puts the code there.  0 or negative errno. */
int jit_code_write(uint8_t *at, const void *bytes, size_t size);

/* Fills the piece with traps and gives it back. */
void jit_code_free(uint8_t *at, size_t size);

size_t jit_code_mapped(void);

#endif /* jit/code.h */
