/* SPDX-License-Identifier: Apache-2.0 */
#include "vm/err.h"

#include <stdarg.h>
#include <stdio.h>

int
vm_err(struct vm_err *err, int error, const char *format, ...)
{
    if (err) {
        va_list args;

        va_start(args, format);
        vsnprintf(err->text, sizeof err->text, format, args);
        va_end(args);
    }
    return error;
}
