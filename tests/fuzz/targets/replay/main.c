/* SPDX-License-Identifier: Apache-2.0 */

/* Gives the files that the command line names to a target. */

#include <stdio.h>
#include <stdlib.h>

#include "tests/fuzz/targets/target.h"

#define MAX_SIZE (1 << 20)

int
main(int argc, char **argv)
{
    uint8_t *data = malloc(MAX_SIZE);

    for (int i = 1; data && i < argc; i++) {
        FILE *file = fopen(argv[i], "rb");

        if (!file) {
            perror(argv[i]);
            return 1;
        }
        size_t size = fread(data, 1, MAX_SIZE, file);
        fclose(file);
        LLVMFuzzerTestOneInput(data, size);
    }
    printf("%d inputs\n", argc - 1);
    free(data);
    return argc > 1 ? 0 : 1;
}
