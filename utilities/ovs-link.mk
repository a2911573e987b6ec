# SPDX-License-Identifier: Apache-2.0
#
# What of Open vSwitch's libraries is linked, and how it is bent.  The cache
# holds them as their own build makes them; here copies are made of which
# - the objects below are left out, because ofproto/ and datapath/ take
#   their place (ofproto/dpif-absent.c defines what others refer to), and
# - ofproto.o calls ofproto/hooks.c where a rule appears or disappears,
# - ofproto.o and connmgr.o call ofproto/messages.c for controllers' messages,
#   and
# - bridge.o calls datapath/dpdk-start.c to start DPDK.

OVS_OMIT_LIBOFPROTO = ofproto-dpif ofproto-dpif-ipfix ofproto-dpif-mirror \
	ofproto-dpif-monitor ofproto-dpif-rid ofproto-dpif-sflow \
	ofproto-dpif-trace ofproto-dpif-upcall ofproto-dpif-xlate \
	ofproto-dpif-xlate-cache

OVS_OMIT_LIBOPENVSWITCH = ct-dpif dpctl dpif dpif-netdev \
	dpif-netdev-extract-study dpif-netdev-lookup \
	dpif-netdev-lookup-autovalidator dpif-netdev-lookup-generic \
	dpif-netdev-perf dpif-netdev-private-dfc dpif-netdev-private-dpif \
	dpif-netdev-private-extract dpif-netlink dpif-netlink-rtnl

# Symbol in ofproto.o = our function that is called in its place.
OVS_HOOKS = \
	classifier_insert=of_hook_classifier_insert \
	cls_rule_make_invisible_in_version=of_hook_cls_rule_make_invisible \
	cls_rule_restore_visibility=of_hook_cls_rule_restore_visibility \
	classifier_remove_assert=of_hook_classifier_remove_assert \
	classifier_remove=of_hook_classifier_remove \
	ofconn_send_reply=of_hook_ofconn_send_reply \
	ofconn_send_error=of_hook_ofconn_send_error \
	connmgr_run=of_hook_connmgr_run

# The same in connmgr.o.
OVS_HOOKS_CONNMGR = rconn_recv=of_hook_rconn_recv

# The same in bridge.o, for starting DPDK.
OVS_HOOKS_BRIDGE = dpdk_init=dp_dpdk_init
