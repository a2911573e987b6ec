/* SPDX-License-Identifier: Apache-2.0 */
#ifndef VM_ERR_H
#define VM_ERR_H 1

/* Why something was refused: one sentence with its place, for people.
 *
 * The code (a negative errno) is what functions return; the sentence goes to
 * a 'struct vm_err' that the caller passes as the last argument, or NULL when
 * the caller does not care.  The struct owns nothing. */

struct vm_err {
    char text[512];             /* "" as long as nothing went wrong. */
};

/* Writes the sentence (cut if too long) unless 'err' is NULL; returns
 * 'error', so that `return vm_err(err, -EINVAL, "...");` reads well. */
int vm_err(struct vm_err *err, int error, const char *format, ...)
    __attribute__((format(printf, 3, 4)));

#endif /* vm/err.h */
