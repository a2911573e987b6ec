/* SPDX-License-Identifier: Apache-2.0 */
#ifndef UTILITIES_APPCTL_CAPTURE_H
#define UTILITIES_APPCTL_CAPTURE_H 1

/* `bvs-appctl capture BRIDGE [OPTION]... -w FILE|-': has the daemon behind
 * 'socket' stream a capture to a socket of ours and writes it to FILE, or to
 * standard output.  'argv' begins with the command; returns an exit status. */
int appctl_capture(const char *socket, int argc, char *argv[]);

#endif /* utilities/appctl-capture.h */
