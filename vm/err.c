/* SPDX-License-Identifier: Apache-2.0 */
#include "vm/err.h"

#include <stdarg.h>
#include <stdio.h>

_Thread_local const struct vm_site *vm_err_site;

int
vm_err_at(const struct vm_site *site, struct vm_err *err, int error,
          const char *format, ...)
{
    vm_err_site = site;
    if (err) {
        va_list args;

        va_start(args, format);
        vsnprintf(err->text, sizeof err->text, format, args);
        va_end(args);
    }
    return error;
}
