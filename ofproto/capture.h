/* SPDX-License-Identifier: Apache-2.0 */

/* The commands capture, capture/show and capture/stop.
 *
 * Threads: the main thread. */

#ifndef OFPROTO_CAPTURE_H
#define OFPROTO_CAPTURE_H 1

struct of_bridge;

void of_capture_init(void);
void of_capture_run(void);
void of_capture_wait(void);
/* The bridge is being destroyed. */
void of_capture_forget(struct of_bridge *);
/* Ends all. */
void of_capture_exit(void);

#endif /* ofproto/capture.h */
