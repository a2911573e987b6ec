/* SPDX-License-Identifier: Apache-2.0 */

/* What the generic database commands need to know about the schema. */

#include <config.h>

#include "utilities/vsctl-commands.h"

#include "lib/vswitch-idl.h"

/* "show": a record's name, and the columns printed below it. */
const struct cmd_show_table vsctl_show_tables[] = {
    { .table = &ovsrec_table_open_vswitch,
      .columns = { &ovsrec_open_vswitch_col_manager_options,
                   &ovsrec_open_vswitch_col_bridges,
                   &ovsrec_open_vswitch_col_ovs_version } },
    { .table = &ovsrec_table_bridge,
      .name_column = &ovsrec_bridge_col_name,
      .columns = { &ovsrec_bridge_col_controller,
                   &ovsrec_bridge_col_fail_mode,
                   &ovsrec_bridge_col_datapath_type,
                   &ovsrec_bridge_col_ports } },
    { .table = &ovsrec_table_port,
      .name_column = &ovsrec_port_col_name,
      .columns = { &ovsrec_port_col_tag,
                   &ovsrec_port_col_trunks,
                   &ovsrec_port_col_interfaces } },
    { .table = &ovsrec_table_interface,
      .name_column = &ovsrec_interface_col_name,
      .columns = { &ovsrec_interface_col_type,
                   &ovsrec_interface_col_options,
                   &ovsrec_interface_col_error,
                   &ovsrec_interface_col_bfd_status } },
    { .table = &ovsrec_table_controller,
      .name_column = &ovsrec_controller_col_target,
      .columns = { &ovsrec_controller_col_is_connected } },
    { .table = &ovsrec_table_manager,
      .name_column = &ovsrec_manager_col_target,
      .columns = { &ovsrec_manager_col_is_connected } },
    { .table = NULL },
};

/* By which name, of the record itself or of the one that refers to it, a
 * record is found. */
#define BY(COLUMN) .row_ids = { { .name_column = &(COLUMN) } }
#define VIA(COLUMN, REFERENCE)                          \
    .row_ids = { { .name_column = &(COLUMN),            \
                   .uuid_column = &(REFERENCE) } }
const struct ctl_table_class vsctl_table_classes[OVSREC_N_TABLES] = {
    [OVSREC_TABLE_BRIDGE] = { BY(ovsrec_bridge_col_name) },
    [OVSREC_TABLE_PORT] = { BY(ovsrec_port_col_name) },
    [OVSREC_TABLE_INTERFACE] = { BY(ovsrec_interface_col_name) },
    [OVSREC_TABLE_MIRROR] = { BY(ovsrec_mirror_col_name) },
    [OVSREC_TABLE_MANAGER] = { BY(ovsrec_manager_col_target) },
    [OVSREC_TABLE_FLOW_TABLE] = { BY(ovsrec_flow_table_col_name) },
    [OVSREC_TABLE_FLOW_SAMPLE_COLLECTOR_SET]
        = { BY(ovsrec_flow_sample_collector_set_col_id) },
    [OVSREC_TABLE_CONTROLLER]
        = { VIA(ovsrec_bridge_col_name, ovsrec_bridge_col_controller) },
    [OVSREC_TABLE_NETFLOW]
        = { VIA(ovsrec_bridge_col_name, ovsrec_bridge_col_netflow) },
    [OVSREC_TABLE_SFLOW]
        = { VIA(ovsrec_bridge_col_name, ovsrec_bridge_col_sflow) },
    [OVSREC_TABLE_IPFIX]
        = { VIA(ovsrec_bridge_col_name, ovsrec_bridge_col_ipfix) },
    [OVSREC_TABLE_AUTOATTACH]
        = { VIA(ovsrec_bridge_col_name, ovsrec_bridge_col_auto_attach) },
    [OVSREC_TABLE_QOS]
        = { VIA(ovsrec_port_col_name, ovsrec_port_col_qos) },
};
