/* SPDX-License-Identifier: Apache-2.0 */

/* From emitted instructions to a program that may run: verified, always, and
 * compiled to native code when the daemon has handed over a back end.
 *
 * Threads: of_load_set_backend() before the first bridge is made; of_load()
 * as vm_prog_load(). */

#ifndef OFPROTO_COMPILE_LOAD_H
#define OFPROTO_COMPILE_LOAD_H 1

struct vm_backend;
struct vm_emit;
struct vm_err;
struct vm_prog;

/* Finishes 'e' (which stays the caller's) and loads it as a program of the
 * bridge type.  0 or a negative errno with a sentence.  A program for which
 * there is no memory as native code runs in the interpreter; the log says
 * so.  Profiles show 'name': BRIDGE:tableN:PLAN, or, of programs that all
 * bridges share, tableN:empty, parse:LEVEL, actions:SLOT, end. */
int of_load(struct vm_emit *e, const char *name, struct vm_prog **progp,
            struct vm_err *err);

#endif /* ofproto/compile/load.h */
