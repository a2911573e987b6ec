/* SPDX-License-Identifier: Apache-2.0 */
#ifndef TESTS_VM_QSBR_H
#define TESTS_VM_QSBR_H 1

/* Quiescence for the tests of maps with several threads: what ovs-rcu does in
 * the daemon.
 *
 * A thread that looks up registers, and now and then says that it holds
 * nothing.  vm_qsbr_defer() is the hook for vm_set_defer(); vm_qsbr_poll()
 * runs what no thread can still use. */

#define VM_QSBR_MAX_THREADS 16

void vm_qsbr_register(unsigned thread);
void vm_qsbr_unregister(unsigned thread);
void vm_qsbr_quiescent(unsigned thread);

void vm_qsbr_defer(void (*fn)(void *), void *aux);
void vm_qsbr_poll(void);
/* Runs all that is left; no thread is registered any more. */
void vm_qsbr_drain(void);

#endif /* tests/unit/vm-qsbr.h */
