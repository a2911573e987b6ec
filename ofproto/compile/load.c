/* SPDX-License-Identifier: Apache-2.0 */

#include "ofproto/compile/load.h"

#include <string.h>
#include "openvswitch/vlog.h"
#include "datapath/dp.h"
#include "ofproto/compile/compile.h"
#include "vm/emit.h"
#include "vm/prog.h"
#include "vm/verify.h"

VLOG_DEFINE_THIS_MODULE(of_load);

static struct vlog_rate_limit rl = VLOG_RATE_LIMIT_INIT(1, 5);

static const struct vm_backend *backend;

void
of_load_set_backend(const struct vm_backend *b)
{
    backend = b;
}

int
of_load(struct vm_emit *e, const char *name, struct vm_prog **progp,
        struct vm_err *err)
{
    struct vm_prog_attr attr;
    int error;

    memset(&attr, 0, sizeof attr);
    attr.name = name;
    attr.type = dp_bridge_prog_type();
    attr.verify = vm_verify;
    attr.backend = backend;
    error = vm_emit_finish(e, &attr, err);
    if (!error) {
        error = vm_prog_load(&attr, progp, err);
    }
    if (!error && backend && !(*progp)->native) {
        VLOG_WARN_RL(&rl, "program %s runs in the interpreter: %s", name,
                     vm_prog_compile_error(*progp));
    }
    return error;
}
