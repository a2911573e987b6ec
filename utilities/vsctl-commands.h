/* SPDX-License-Identifier: Apache-2.0 */

#ifndef UTILITIES_VSCTL_COMMANDS_H
#define UTILITIES_VSCTL_COMMANDS_H 1

/* The commands, as tables of rows that db-ctl-base takes.  Each table ends
 * with a row without a name.  Their errors are ovs-vsctl's, word for word:
 * scripts and Open vSwitch's test suite read them. */

#include "db-ctl-base.h"

extern const struct ctl_command_syntax vsctl_bridge_commands[];
extern const struct ctl_command_syntax vsctl_port_commands[];
extern const struct ctl_command_syntax vsctl_control_commands[];
extern const struct ctl_command_syntax vsctl_extra_commands[];

/* What "show" prints, and the names by which commands such as "set" find
 * records. */
extern const struct cmd_show_table vsctl_show_tables[];
extern const struct ctl_table_class vsctl_table_classes[];

/* Appends the names in 'names', sorted, one a line, to the output, and
 * destroys 'names'. */
struct svec;
void vsctl_output_names(struct ctl_context *, struct svec *names);

#endif /* utilities/vsctl-commands.h */
