/* SPDX-License-Identifier: Apache-2.0 */

#include <config.h>

#include "utilities/vsctl-private.h"

#include <ctype.h>
#include <stdlib.h>
#include <string.h>

#include "openvswitch/dynamic-string.h"
#include "svec.h"
#include "util.h"

/* Appends the word at '*pp' to 'word', without its quotes, and moves '*pp'
 * after it. */
static const char *
take_word(const char **pp, struct ds *word)
{
    const char *p = *pp;
    char quote = '\0';

    for (; *p && (quote || !isspace((unsigned char) *p)); p++) {
        if (quote ? *p == quote : *p == '\'' || *p == '"') {
            quote = quote ? '\0' : *p;
        } else if (*p == '\\' && quote != '\''
                   && (!quote || p[1] == '"' || p[1] == '\\')) {
            if (!*++p) {
                return "a backslash at its end";
            }
            ds_put_char(word, *p);
        } else {
            ds_put_char(word, *p);
        }
    }
    *pp = p;
    return quote ? "a quote that does not end" : NULL;
}

const char *
vsctl_words_split(const char *line, char ***argvp, int *argcp)
{
    struct svec words = SVEC_EMPTY_INITIALIZER;
    const char *error = NULL;
    const char *p = line;

    svec_add(&words, "ovs-vsctl");
    while (!error) {
        struct ds word = DS_EMPTY_INITIALIZER;

        p += strspn(p, " \t\r\n\v\f");
        if (!*p || *p == '#') {
            break;
        }
        error = take_word(&p, &word);
        svec_add(&words, ds_cstr(&word));
        ds_destroy(&word);
    }

    /* Lines may be copied from a script, program name and all. */
    if (words.n > 1 && (!strcmp(words.names[1], "ovs-vsctl")
                        || !strcmp(words.names[1], "bvs-vsctl"))) {
        free(words.names[1]);
        memmove(&words.names[1], &words.names[2],
                (words.n - 2) * sizeof *words.names);
        words.n--;
    }
    svec_terminate(&words);
    *argvp = words.names;
    *argcp = words.n;
    return error;
}

void
vsctl_words_free(char **argv)
{
    for (size_t i = 0; argv && argv[i]; i++) {
        free(argv[i]);
    }
    free(argv);
}
