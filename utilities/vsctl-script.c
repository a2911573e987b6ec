/* SPDX-License-Identifier: Apache-2.0 */

#include <config.h>

#include <errno.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>

#include "openvswitch/dynamic-string.h"
#include "openvswitch/poll-loop.h"
#include "util.h"
#include "utilities/vsctl-private.h"

struct vsctl_script {
    char *name;                 /* Of the file. */
    char *db;
    FILE *stream;
    int line_number;            /* Of the last line read. */

    /* The command line under way, if 'current'. */
    char **argv;
    struct vsctl *current;
    int first_line;             /* Where it begins. */

    char *error;
};

char *
vsctl_script_open(const char *file, const char *db, struct vsctl_script **sp)
{
    FILE *stream = fopen(file, "r");
    struct vsctl_script *s;

    *sp = NULL;
    if (!stream) {
        return xasprintf("%s: cannot open the file of ovs-vsctl commands "
                         "(%s)", file, ovs_strerror(errno));
    }
    s = xzalloc(sizeof *s);
    s->name = xstrdup(file);
    s->db = xstrdup(db);
    s->stream = stream;
    *sp = s;
    return NULL;
}

void
vsctl_script_close(struct vsctl_script *s)
{
    if (s) {
        vsctl_destroy(s->current);
        vsctl_words_free(s->argv);
        fclose(s->stream);
        free(s->name);
        free(s->db);
        free(s->error);
        free(s);
    }
}

const char *
vsctl_script_error(const struct vsctl_script *s)
{
    return s->error;
}

/* Reads a line with its continuations.  Returns false at the end. */
static bool
read_line(struct vsctl_script *s, struct ds *line)
{
    struct ds part = DS_EMPTY_INITIALIZER;
    bool more = true;

    ds_clear(line);
    s->first_line = s->line_number + 1;
    while (more && !ds_get_line(&part, s->stream)) {
        s->line_number++;
        more = part.length && ds_last(&part) == '\\';
        if (more) {
            ds_truncate(&part, part.length - 1);
        }
        ds_put_format(line, "%s ", ds_cstr(&part));
    }
    ds_destroy(&part);
    return s->line_number >= s->first_line;
}

static void
fail(struct vsctl_script *s, const char *sentence)
{
    s->error = xasprintf("%s:%d: %s", s->name, s->first_line, sentence);
}

/* Starts the next command line.  Returns false if there is none, or on
 * error. */
static bool
start_next(struct vsctl_script *s)
{
    struct ds line = DS_EMPTY_INITIALIZER;
    bool started = false;

    while (!started && !s->error) {
        struct vsctl_options options;
        const char *problem;
        char *error;
        int argc;

        if (!read_line(s, &line)) {
            break;
        }
        problem = vsctl_words_split(ds_cstr(&line), &s->argv, &argc);
        if (problem) {
            fail(s, problem);
        } else if (argc > 1) {
            vsctl_options_init(&options);
            options.db = s->db;
            error = vsctl_create(argc, s->argv, &options, &s->current);
            if (error) {
                fail(s, error);
                free(error);
            } else {
                started = true;
            }
        }
        if (!started) {
            vsctl_words_free(s->argv);
            s->argv = NULL;
        }
    }
    ds_destroy(&line);
    return started;
}

static void
finish_current(struct vsctl_script *s)
{
    const char *messages = vsctl_messages(s->current);

    if (messages[0]) {
        fail(s, messages);
    } else if (vsctl_status(s->current)) {
        fail(s, "the command failed");
    }
    vsctl_destroy(s->current);
    s->current = NULL;
    vsctl_words_free(s->argv);
    s->argv = NULL;
}

bool
vsctl_script_run(struct vsctl_script *s)
{
    while (!s->error) {
        if (!s->current && !start_next(s)) {
            return true;
        }
        if (!vsctl_run(s->current)) {
            return false;
        }
        finish_current(s);
    }
    return true;
}

void
vsctl_script_wait(struct vsctl_script *s)
{
    if (s->current) {
        vsctl_wait(s->current);
    } else {
        poll_immediate_wake();
    }
}
