/* SPDX-License-Identifier: Apache-2.0 */

/* The database server and ovs-vsctl's commands in one process and one poll
 * loop, as bvs-replay has them: nothing may block, nothing may exit. */

#include <config.h>

#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>
#include <stdint.h>
#include <cmocka.h>

#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <unistd.h>

#include "openvswitch/poll-loop.h"
#include "openvswitch/vlog.h"
#include "timeval.h"
#include "util.h"
#include "utilities/db-server.h"
#include "utilities/vsctl-private.h"
#include "utilities/vsctl.h"

/* Longer than anything here takes. */
#define PATIENCE_MS 20000

static char folder[] = "/tmp/bvs-test-db.XXXXXX";
static char *db;                /* "unix:PATH" */
static struct db_server *server;

static char *
start_server(const char *file)
{
    char *listen = xasprintf("p%s", db);
    struct db_server_config config = {
        .file = file,
        .listen = listen,
        .identify = file != NULL,
    };
    char *error = db_server_create(&config, &server);

    free(listen);
    return error;
}

static void
stop_server(void)
{
    db_server_destroy(server);
    server = NULL;
}

/* One round of the loop, without 'v' or 'script' being finished. */
static void
turn(struct vsctl *v, struct vsctl_script *script, long long int deadline)
{
    db_server_run(server);
    db_server_wait(server);
    if (v) {
        vsctl_wait(v);
    } else {
        vsctl_script_wait(script);
    }
    poll_timer_wait_until(deadline);
    poll_block();
    assert_true(time_msec() < deadline);
}

/* Runs one command line and compares its exit status, output and messages
 * (NULL: any). */
static void
run(const char *line, int status, const char *output, const char *messages)
{
    long long int deadline = time_msec() + PATIENCE_MS;
    struct vsctl_options options;
    struct vsctl *v;
    char **argv, *out, *error;
    int argc;

    assert_null(vsctl_words_split(line, &argv, &argc));
    vsctl_options_init(&options);
    options.db = db;
    error = vsctl_create(argc, argv, &options, &v);
    if (error) {
        assert_int_equal(status, 1);
        assert_string_equal(error, messages);
        free(error);
        vsctl_words_free(argv);
        return;
    }
    while (!vsctl_run(v)) {
        turn(v, NULL, deadline);
    }
    out = vsctl_take_output(v);
    if (messages) {
        assert_string_equal(vsctl_messages(v), messages);
    }
    assert_int_equal(vsctl_status(v), status);
    if (output) {
        assert_string_equal(out ? out : "", output);
    }
    free(out);
    vsctl_destroy(v);
    vsctl_words_free(argv);
}

/* Runs a script with 'text' and returns its error, which the caller frees. */
static char *
run_script(const char *text)
{
    long long int deadline = time_msec() + PATIENCE_MS;
    char *file = xasprintf("%s/config.txt", folder);
    FILE *stream = fopen(file, "w");
    struct vsctl_script *script;
    char *error;

    assert_non_null(stream);
    fputs(text, stream);
    assert_int_equal(fclose(stream), 0);
    assert_null(vsctl_script_open(file, db, &script));
    free(file);
    while (!vsctl_script_run(script)) {
        turn(NULL, script, deadline);
    }
    error = nullable_xstrdup(vsctl_script_error(script));
    vsctl_script_close(script);
    return error;
}

static void
test_words(void **state)
{
    /* Words are separated by '|' in what is expected. */
    static const struct {
        const char *line, *words, *error;
    } cases[] = {
        { "", "", NULL },
        { "  # nothing but a comment", "", NULL },
        { "add-br br0", "add-br|br0", NULL },
        { "\tadd-br\t br0 # there", "add-br|br0", NULL },
        { "ovs-vsctl add-br br0", "add-br|br0", NULL },
        { "bvs-vsctl -- show", "--|show", NULL },
        { "a 'b c' \"d e\"f", "a|b c|d ef", NULL },
        { "a\\ b 'c\\d' \"e\\\"f\\\\g\\h\"", "a b|c\\d|e\"f\\g\\h", NULL },
        { "a '' \"\" b", "a|||b", NULL },
        { "x=#1", "x=#1", NULL },
        { "a 'b", NULL, "a quote that does not end" },
        { "a \"b", NULL, "a quote that does not end" },
        { "a\\", NULL, "a backslash at its end" },
    };

    for (size_t i = 0; i < ARRAY_SIZE(cases); i++) {
        char joined[128] = "";
        const char *error;
        char **argv;
        int argc;

        error = vsctl_words_split(cases[i].line, &argv, &argc);
        if (cases[i].error) {
            assert_non_null(error);
            assert_string_equal(error, cases[i].error);
        } else {
            assert_null(error);
            assert_string_equal(argv[0], "ovs-vsctl");
            assert_null(argv[argc]);
            for (int j = 1; j < argc; j++) {
                size_t n = strlen(joined);

                snprintf(joined + n, sizeof joined - n, "%s%s",
                         j > 1 ? "|" : "", argv[j]);
            }
            assert_string_equal(joined, cases[i].words);
        }
        vsctl_words_free(argv);
    }
}

static void
test_commands(void **state)
{
    assert_null(start_server(NULL));
    run("--no-wait add-br br0 -- add-port br0 'p 1' tag=7", 0, "", "");
    run("list-ports br0 -- get port 'p 1' tag", 0, "p 1\n7\n", "");
    run("br-exists br0", 0, "", "");
    run("br-exists br1", 2, "", "");
    run("--no-wait add-br br0", 1, "", "cannot create a bridge named br0 "
        "because a bridge named br0 already exists");
    run("--oneline list-br -- list-ifaces br0", 0, "br0\np 1\n", "");
    run("--no-wait add-br br1 -- del-br none", 1, "",
        "no bridge named none");
    run("list-br", 0, "br0\n", "");
    run("nonsense", 1, NULL, "unknown command 'nonsense'; use --help for "
        "help");
    run("--nonsense", 1, NULL, "unknown option '--nonsense' (use --help for "
        "help)");
    run("", 1, NULL, "missing command name (use --help for help)");
    run("--timeout=x show", 1, NULL,
        "value x on -t or --timeout is invalid");
    stop_server();
}

static void
test_nobody(void **state)
{
    assert_null(start_server(NULL));
    /* No switch daemon holds its lock: refused before anything changes. */
    run("add-br br0", 1, "", NULL);
    run("list-br", 0, "", "");
    stop_server();
    /* No server. */
    struct vsctl_options options;
    char *argv[] = { "ovs-vsctl", "show", NULL };
    struct vsctl *v;

    vsctl_options_init(&options);
    options.db = db;
    assert_null(vsctl_create(2, argv, &options, &v));
    while (!vsctl_run(v)) {
        vsctl_wait(v);
        poll_block();
    }
    assert_int_equal(vsctl_status(v), 1);
    assert_non_null(strstr(vsctl_messages(v), "database connection failed"));
    vsctl_destroy(v);
}

static void
test_script(void **state)
{
    char *error;

    assert_null(start_server(NULL));
    assert_null(run_script(""));
    assert_null(run_script("# A bridge and its ports.\n"
                           "ovs-vsctl --no-wait add-br br0 \\\n"
                           "    -- set bridge br0 fail_mode=secure\n"
                           "\n"
                           "--no-wait add-port br0 p1\n"
                           "--no-wait add-port br0 p2"));
    run("get-fail-mode br0 -- list-ports br0", 0, "secure\np1\np2\n", "");

    error = run_script("--no-wait add-port br0 p3\n"
                       "--no-wait add-port br0 \\\n"
                       "    p1\n"
                       "--no-wait add-port br0 p4\n");
    assert_non_null(error);
    assert_non_null(strstr(error, "config.txt:2: cannot create a port"));
    free(error);
    run("list-ports br0", 0, "p1\np2\np3\n", "");

    error = run_script("list-br\nadd-br 'br9\n");
    assert_non_null(error);
    assert_non_null(strstr(error, "config.txt:2: a quote that does not end"));
    free(error);

    error = run_script("--help\n");
    assert_non_null(error);
    assert_non_null(strstr(error, "config.txt:1: unknown option '--help'"));
    free(error);
    stop_server();
}

static void
test_file(void **state)
{
    char *file = xasprintf("%s/conf.db", folder);
    struct db_server *first;
    char *error;

    assert_null(start_server(file));
    run("--no-wait add-br br0", 0, "", "");
    run("get Open_vSwitch . ovs_version", 0, "\"3.1.0\"\n", "");

    /* The socket is taken. */
    first = server;
    error = start_server(file);
    assert_non_null(error);
    assert_non_null(strstr(error, "a database server already answers there"));
    free(error);
    server = first;
    stop_server();

    /* A stale socket is not in the way, and the data is there. */
    assert_null(start_server(file));
    run("list-br", 0, "br0\n", "");
    stop_server();

    error = start_server("/nowhere/conf.db");
    assert_non_null(error);
    assert_non_null(strstr(error, "/nowhere/conf.db: cannot make the "
                           "database (/nowhere: No such file"));
    free(error);
    error = start_server("/dev/null");
    assert_non_null(error);
    assert_string_equal(error, "/dev/null: not a file; expected an OVSDB "
                        "database");
    free(error);
    free(file);
}

static int
set_up(void **state)
{
    set_program_name("test-db-vsctl");
    vlog_set_levels(NULL, VLF_ANY_DESTINATION, VLL_OFF);
    if (!mkdtemp(folder)) {
        return -1;
    }
    db = xasprintf("unix:%s/db.sock", folder);
    return 0;
}

static int
tear_down(void **state)
{
    static const char *const names[] = {
        "conf.db", ".conf.db.~lock~", "config.txt", "db.sock",
    };

    for (size_t i = 0; i < ARRAY_SIZE(names); i++) {
        char *file = xasprintf("%s/%s", folder, names[i]);

        unlink(file);
        free(file);
    }
    free(db);
    return rmdir(folder);
}

int
main(void)
{
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(test_words),
        cmocka_unit_test(test_commands),
        cmocka_unit_test(test_nobody),
        cmocka_unit_test(test_script),
        cmocka_unit_test(test_file),
    };

    return cmocka_run_group_tests(tests, set_up, tear_down);
}
