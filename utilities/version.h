/* SPDX-License-Identifier: Apache-2.0 */

#ifndef UTILITIES_VERSION_H
#define UTILITIES_VERSION_H 1

/* The version of bvs itself; Open vSwitch's is OVS_PACKAGE_VERSION. */
#define BVS_VERSION "0.1.0"

#endif /* utilities/version.h */
