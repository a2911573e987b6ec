/* SPDX-License-Identifier: Apache-2.0 */

#ifndef UTILITIES_DB_SCHEMA_H
#define UTILITIES_DB_SCHEMA_H 1

/* The schemas of Open vSwitch's sources, as they were at build time, inside
 * the program: a daemon needs no file besides itself to make a database. */

/* JSON texts, null-terminated: vswitchd/vswitch.ovsschema and
 * ovsdb/_server.ovsschema. */
extern const char db_schema_vswitch[];
extern const char db_schema_server[];

#endif /* utilities/db-schema.h */
