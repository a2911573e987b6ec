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

/* A place in our source that refuses something.  All of them together form
 * the linker's section "vm_sites", pointers of which
 * tests/unit/test-vm-reject.c walks: a place that no test reaches fails it. */
struct vm_site {
    const char *file;
    int line;
};

/* The place of the calling thread's last vm_err(). */
extern _Thread_local const struct vm_site *vm_err_site;

/* The current place, for functions that refuse on behalf of their callers. */
#define VM_SITE()                                                       \
    ({                                                                  \
        static const struct vm_site here_ = { __FILE__, __LINE__ };     \
        static const struct vm_site *const listed_                      \
            __attribute__((section("vm_sites"), used)) = &here_;        \
        &here_;                                                         \
    })

/* Writes the sentence (cut if too long) unless 'err' is NULL; returns
 * 'error', so that `return vm_err(err, -EINVAL, "...");` reads well. */
#define vm_err(ERR, ERROR, ...) \
    vm_err_at(VM_SITE(), ERR, ERROR, __VA_ARGS__)
int vm_err_at(const struct vm_site *, struct vm_err *err, int error,
              const char *format, ...) __attribute__((format(printf, 4, 5)));

#endif /* vm/err.h */
