/* SPDX-License-Identifier: Apache-2.0 */

/* Where things lie: the folders of Debian's Open vSwitch packages, so that
 * stock tools find our daemon and ours find a stock one, wherever bvs itself
 * is installed.  These functions take the place of libopenvswitch's, whose
 * defaults follow the prefix it was built for; the environment variables are
 * the same. */

#include <config.h>

#include "dirs.h"

#include <stdlib.h>

#include "ovs-thread.h"
#include "util.h"

static const char *
folder(const char *variable, const char *standard)
{
    const char *value = getenv(variable);

    return value ? value : standard;
}

const char *
ovs_sysconfdir(void)
{
    return folder("OVS_SYSCONFDIR", "/etc");
}

const char *
ovs_pkgdatadir(void)
{
    return folder("OVS_PKGDATADIR", "/usr/share/openvswitch");
}

const char *
ovs_rundir(void)
{
    return folder("OVS_RUNDIR", "/var/run/openvswitch");
}

const char *
ovs_logdir(void)
{
    return folder("OVS_LOGDIR", "/var/log/openvswitch");
}

const char *
ovs_bindir(void)
{
    return folder("OVS_BINDIR", "/usr/bin");
}

const char *
ovs_dbdir(void)
{
    static struct ovsthread_once once = OVSTHREAD_ONCE_INITIALIZER;
    static char *standard;

    if (ovsthread_once_start(&once)) {
        standard = xasprintf("%s/openvswitch", ovs_sysconfdir());
        ovsthread_once_done(&once);
    }
    return folder("OVS_DBDIR", standard);
}
