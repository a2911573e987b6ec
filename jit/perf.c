/* SPDX-License-Identifier: Apache-2.0 */

#include "jit/perf.h"

#include <errno.h>
#include <fcntl.h>
#include <pthread.h>
#include <stdint.h>
#include <stdio.h>
#include <unistd.h>

#include "jit/jit.h"

static pthread_mutex_t mutex = PTHREAD_MUTEX_INITIALIZER;
static FILE *map;

int
jit_perf_map_enable(void)
{
    char path[64];
    int error = 0;

    pthread_mutex_lock(&mutex);
    if (!map) {
        int fd;

        snprintf(path, sizeof path, "/tmp/perf-%ld.map", (long) getpid());
        /* The directory is everybody's: never follow what lies there. */
        unlink(path);
        fd = open(path, O_WRONLY | O_CREAT | O_EXCL | O_CLOEXEC, 0644);
        map = fd >= 0 ? fdopen(fd, "w") : NULL;
        if (!map) {
            error = -errno;
            if (fd >= 0) {
                close(fd);
            }
        }
    }
    pthread_mutex_unlock(&mutex);
    return error;
}

void
jit_perf_map_add(const void *code, size_t size, const char *name)
{
    pthread_mutex_lock(&mutex);
    if (map) {
        fprintf(map, "%jx %zx bvs:%s\n", (uintmax_t) (uintptr_t) code, size,
                *name ? name : "program");
        fflush(map);
    }
    pthread_mutex_unlock(&mutex);
}
