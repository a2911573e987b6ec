/* SPDX-License-Identifier: Apache-2.0 */

/* The netdev class "pcap": files of every form, errors, pace, a bridge
 * between two of them. */

#include <errno.h>
#include <inttypes.h>
#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>
#include <stdint.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/stat.h>
#include <unistd.h>
#include <zlib.h>
#include <cmocka.h>
#include "datapath/pcap-file.h"
#include "dp-packet.h"
#include "netdev.h"
#include "ovs-rcu.h"
#include "smap.h"
#include "tests/unit/dp-fixture.h"
#include "timeval.h"
#include "util.h"

static char dir[] = "/tmp/bvs-test-pcap-XXXXXX";

static char *
in_dir(const char *name)
{
    return xasprintf("%s/%s", dir, name);
}

static void
put32(FILE *f, uint32_t x, bool swap)
{
    x = swap ? __builtin_bswap32(x) : x;
    assert_int_equal(fwrite(&x, 4, 1, f), 1);
}

/* Writes a capture of 'n' packets of 60 bytes, a millisecond apart, whose
 * first byte is their number; the last one is short of 'cut' bytes. */
static char *
write_capture(const char *name, uint32_t magic, bool swap, int n, int cut)
{
    bool nano = magic == 0xa1b23c4d;
    char *path = in_dir(name);
    FILE *f = fopen(path, "wb");

    assert_non_null(f);
    put32(f, magic, swap);
    put32(f, 4 << 16 | 2, false);
    if (swap) {
        /* Version 2.4 as two 16-bit numbers. */
        fseek(f, 4, SEEK_SET);
        fwrite("\0\2\0\4", 4, 1, f);
    }
    put32(f, 0, swap);
    put32(f, 0, swap);
    put32(f, 65535, swap);
    put32(f, 1, swap);
    for (int i = 0; i < n; i++) {
        uint8_t packet[60] = { i };

        put32(f, 1000, swap);
        put32(f, i * (nano ? 1000000 : 1000), swap);
        put32(f, sizeof packet, swap);
        put32(f, sizeof packet, swap);
        fwrite(packet, sizeof packet - (i == n - 1 ? cut : 0), 1, f);
    }
    fclose(f);
    return path;
}

static int
configure(struct netdev *netdev, char **error, const char *key, ...)
{
    struct smap args = SMAP_INITIALIZER(&args);
    va_list ap;
    int retval;

    va_start(ap, key);
    for (; key; key = va_arg(ap, const char *)) {
        smap_add(&args, key, va_arg(ap, const char *));
    }
    va_end(ap);
    *error = NULL;
    retval = netdev_set_config(netdev, &args, error);
    smap_destroy(&args);
    return retval;
}

static void
expect_error(const char *rx, const char *rate, const char *words)
{
    struct netdev *netdev;
    char *error;

    assert_int_equal(netdev_open("e", "pcap", &netdev), 0);
    assert_int_equal(configure(netdev, &error, "rx_pcap", rx, "rate", rate,
                               NULL), EINVAL);
    assert_non_null(error);
    if (!strstr(error, words)) {
        fail_msg("'%s' does not say '%s'", error, words);
    }
    assert_null(strchr(error, '\n'));
    free(error);
    netdev_close(netdev);
}

static void
test_errors(void **state)
{
    char *missing = in_dir("missing");
    char *garbage = in_dir("garbage");
    char *cut = write_capture("cut", 0xa1b2c3d4, false, 3, 10);
    char *good = write_capture("good", 0xa1b2c3d4, false, 3, 0);
    FILE *f = fopen(garbage, "wb");
    struct netdev *netdev;
    char *error;

    fputs("this is not a capture file at all", f);
    fclose(f);
    expect_error(missing, "max", "missing");
    expect_error(missing, "max", "No such file");
    expect_error(garbage, "max", "garbage: not a pcap file");
    expect_error(cut, "max", "cut: packet 3: truncated");
    expect_error(good, "fast", "'fast' is neither 'real' nor 'max'");

    assert_int_equal(netdev_open("e", "pcap", &netdev), 0);
    assert_int_equal(configure(netdev, &error, "tx_pcap", "/nowhere/x", NULL),
                     EINVAL);
    assert_non_null(strstr(error, "/nowhere/x"));
    free(error);
    assert_int_equal(configure(netdev, &error, "rx_pcap", good, "loop",
                               "maybe", NULL), EINVAL);
    assert_non_null(strstr(error, "'maybe' is neither 'true' nor 'false'"));
    free(error);
    assert_int_equal(configure(netdev, &error, "rx_pcap", good, "lop", "true",
                               NULL), EINVAL);
    assert_non_null(strstr(error, "lop: no such option"));
    free(error);
    assert_int_equal(configure(netdev, &error, "tx_pcap", missing, "tx_format",
                               "csv", NULL),
                     EINVAL);
    assert_non_null(strstr(error, "tx_format: 'csv' is neither"));
    free(error);
    assert_int_equal(
        configure(netdev, &error, "tx_pcap", missing, "snaplen", "0", NULL),
        EINVAL);
    assert_non_null(strstr(error, "snaplen: '0' is not a number"));
    free(error);
    netdev_close(netdev);
    free(missing);
    free(garbage);
    free(cut);
    free(good);
}

struct bridge {
    struct fx fx;
    struct netdev *in, *out;
    uint32_t flow;
};

/* Port 1 (pcap) to port 2 (in memory). */
static void
bridge_init(struct bridge *b)
{
    struct dp_port *port;

    fx_init(&b->fx, DP_INLINE);
    assert_int_equal(netdev_open("in", "pcap", &b->in), 0);
    assert_int_equal(dp_port_add(b->fx.bridge, b->in, 1, &port), 0);
    fx_port(&b->fx, "out", 2, &b->out);
    fx_prog(&b->fx, DP_SLOT_PARSE,
            "r2 = 2\nr3 = 0\ncall dp_helper_output\nr0 = 0\nexit\n");
}

static void
bridge_uninit(struct bridge *b)
{
    netdev_close(b->in);
    fx_uninit(&b->fx);
}

static void
check_packets(struct netdev *out, int n)
{
    assert_int_equal(fx_n_sent(out), n);
    for (int i = 0; i < n; i++) {
        struct dp_packet *packet = fx_pop(out);

        assert_int_equal(dp_packet_size(packet), 60);
        assert_int_equal(*(uint8_t *) dp_packet_data(packet), i);
        dp_packet_delete(packet);
    }
}

static void
test_read(void **state)
{
    static const struct {
        uint32_t magic;
        bool swap;
    } forms[] = {
        { 0xa1b2c3d4, false }, { 0xa1b2c3d4, true },
        { 0xa1b23c4d, false }, { 0xa1b23c4d, true },
    };
    struct netdev_stats stats;
    struct bridge b;

    bridge_init(&b);
    for (size_t i = 0; i < ARRAY_SIZE(forms); i++) {
        char *name = xasprintf("form%zu", i);
        char *path = write_capture(name, forms[i].magic, forms[i].swap, 100,
                                   0);
        char *error;

        assert_int_equal(configure(b.in, &error, "rx_pcap", path, "rate",
                                   "max", NULL), 0);
        fx_run(&b.fx);
        check_packets(b.out, 100);

        /* The same configuration again does not start it again. */
        assert_int_equal(configure(b.in, &error, "rx_pcap", path, "rate",
                                   "max", NULL), 0);
        fx_run(&b.fx);
        assert_int_equal(fx_n_sent(b.out), 0);
        free(path);
        free(name);
    }
    assert_int_equal(netdev_get_stats(b.in, &stats), 0);
    assert_int_equal(stats.rx_packets, 400);
    assert_int_equal(stats.rx_bytes, 24000);
    bridge_uninit(&b);
}

static bool
has_1000(void *out)
{
    return fx_n_sent(out) >= 1000;
}

static void
test_loop(void **state)
{
    char *path = write_capture("loop", 0xa1b23c4d, false, 3, 0);
    char *empty = write_capture("empty", 0xa1b23c4d, false, 0, 0);
    struct dp_packet *packet;
    struct bridge b;
    char *error;

    bridge_init(&b);
    assert_int_equal(configure(b.in, &error, "rx_pcap", path, "rate", "max",
                               "loop", "true", NULL), 0);
    for (int i = 0; i < 100000 && !has_1000(b.out); i++) {
        dp_run(b.fx.dp);
    }
    assert_int_equal(configure(b.in, &error, "rx_pcap", empty, "rate", "max",
                               "loop", "true", NULL), 0);
    fx_run(&b.fx);
    assert_true(fx_n_sent(b.out) >= 1000);
    for (int i = 0; (packet = fx_pop(b.out)); i++) {
        assert_int_equal(*(uint8_t *) dp_packet_data(packet), i % 3);
        dp_packet_delete(packet);
    }
    bridge_uninit(&b);
    free(path);
    free(empty);
}

static bool
has_50(void *out)
{
    return fx_n_sent(out) >= 50;
}

/* 50 packets a millisecond apart take 49 ms at least. */
static void
test_real_time(void **state)
{
    char *path = write_capture("pace", 0xa1b2c3d4, false, 50, 0);
    long long int start;
    struct bridge b;
    char *error;

    bridge_init(&b);
    assert_int_equal(configure(b.in, &error, "rx_pcap", path, NULL), 0);
    start = time_usec();
    fx_wait_until(&b.fx, has_50, b.out);
    assert_true(time_usec() - start >= 49000);
    check_packets(b.out, 50);
    bridge_uninit(&b);
    free(path);
}

/* What is written can be read again, and by its time stamps. */
static void
test_write(void **state)
{
    char *path = write_capture("source", 0xa1b2c3d4, false, 40, 0);
    char *copy = in_dir("copy");
    struct netdev *writer;
    struct dp_port *port;
    struct bridge b;
    struct stat st;
    char *error;

    bridge_init(&b);
    assert_int_equal(netdev_open("writer", "pcap", &writer), 0);
    assert_int_equal(configure(writer, &error, "tx_pcap", copy, NULL), 0);
    dp_port_del(dp_port_lookup(b.fx.bridge, 2));
    assert_int_equal(dp_port_add(b.fx.bridge, writer, 2, &port), 0);
    assert_int_equal(configure(b.in, &error, "rx_pcap", path, "rate", "max",
                               NULL), 0);
    fx_run(&b.fx);
    assert_int_equal(stat(copy, &st), 0);
    assert_int_equal(st.st_size, 24 + 40 * (16 + 60));
    dp_port_del(port);
    fx_port(&b.fx, "out", 2, &b.out);
    assert_int_equal(configure(b.in, &error, "rx_pcap", copy, "rate", "max",
                               NULL), 0);
    fx_run(&b.fx);
    check_packets(b.out, 40);
    netdev_close(writer);
    bridge_uninit(&b);
    free(path);
    free(copy);
}

/* Compresses file 'name' into 'name'.gz, without its last 'cut' bytes. */
static char *
compress_file(const char *name, size_t cut)
{
    char *path = xasprintf("%s.gz", name);
    FILE *from = fopen(name, "rb");
    gzFile to = gzopen(path, "wb");
    struct stat st;
    int c;

    while ((c = getc(from)) != EOF) {
        gzputc(to, c);
    }
    fclose(from);
    gzclose(to);
    assert_int_equal(stat(path, &st), 0);
    assert_int_equal(truncate(path, st.st_size - cut), 0);
    return path;
}

static void
test_compressed(void **state)
{
    char *path = write_capture("z", 0xa1b23c4d, false, 100, 0);
    char *compressed = compress_file(path, 0);
    struct bridge b;
    char *error;

    bridge_init(&b);
    assert_int_equal(
        configure(b.in, &error, "rx_pcap", compressed, "rate", "max", NULL),
        0);
    fx_run(&b.fx);
    check_packets(b.out, 100);
    unlink(compressed);
    free(compressed);
    compressed = compress_file(path, 30);
    expect_error(compressed, "max", "z.gz: packet ");
    bridge_uninit(&b);
    unlink(compressed);
    unlink(path);
    free(compressed);
    free(path);
}

/* Each form keeps bytes and time stamps, as far as it has digits, and what it
 * cuts it says. */
static void
test_forms(void **state)
{
    static const int64_t ns = INT64_C(1234567890123456789);
    uint8_t data[100];

    for (size_t i = 0; i < sizeof data; i++) {
        data[i] = i;
    }
    for (int form = 0; form < DP_N_PCAP_FORMS; form++) {
        char *path = in_dir("form"), *error = NULL;
        struct dp_pcap_writer *writer;
        struct pcap_pkthdr *header;
        const u_char *bytes;
        pcap_t *pcap;

        writer = dp_pcap_create(path, form, 91, &error);
        assert_non_null(writer);
        for (size_t size = 14; size <= sizeof data; size++) {
            dp_pcap_write(writer, ns + size, data, size);
        }
        assert_int_equal(dp_pcap_flush(writer), 0);
        dp_pcap_close(writer);

        pcap = dp_pcap_open(path, &error);
        if (!pcap) {
            fail_msg("%s: %s", dp_pcap_form_name(form), error);
        }
        for (size_t size = 14; size <= sizeof data; size++) {
            int64_t want = ns + size;

            assert_int_equal(pcap_next_ex(pcap, &header, &bytes), 1);
            assert_int_equal(header->len, size);
            assert_int_equal(header->caplen, MIN(size, 91));
            assert_memory_equal(bytes, data, header->caplen);
            if (form == DP_PCAP_MICRO) {
                want -= want % 1000;
            }
            assert_true(dp_pcap_ns(header) == want);
        }
        assert_int_equal(pcap_next_ex(pcap, &header, &bytes),
                         PCAP_ERROR_BREAK);
        pcap_close(pcap);
        unlink(path);
        free(path);
    }
}

/* Times that no clock shows: cut to what pcap can say. */
static void
test_times(void **state)
{
    static const struct {
        struct timeval ts;
        int64_t ns;
    } times[] = {
        { { 0, 0 }, 0 },
        { { 1, 5 }, 1000000005 },
        { { INT32_MAX, 999999999 }, 2147483647999999999 },
        { { INT32_MIN, 0 }, 2147483648000000000 },  /* 2038. */
        { { -1, 999999999 }, DP_PCAP_MAX_NS },
        { { UINT32_MAX, 999999999 }, DP_PCAP_MAX_NS },
        { { UINT32_MAX, 1000000000 }, DP_PCAP_MAX_NS },
        { { 0, -1 }, 0 },
        { { (long) INT32_MIN - 1, 0 }, 0 },
        { { LONG_MIN, LONG_MIN }, 0 },
        { { UINT32_MAX + 1L, 0 }, DP_PCAP_MAX_NS },
        { { LONG_MAX / 1000000000 + 1, 0 }, DP_PCAP_MAX_NS },
        { { LONG_MAX, LONG_MAX }, DP_PCAP_MAX_NS },
    };

    for (size_t i = 0; i < ARRAY_SIZE(times); i++) {
        struct pcap_pkthdr header = { .ts = times[i].ts };

        assert_true(dp_pcap_ns(&header) == times[i].ns);
    }
}

/* A port that writes pcapng, 40 bytes of a packet. */
static void
test_write_pcapng(void **state)
{
    char *path = write_capture("source", 0xa1b2c3d4, false, 40, 0);
    char *copy = in_dir("copy");
    struct netdev *writer;
    struct dp_port *port;
    struct pcap_pkthdr *header;
    const u_char *bytes;
    struct bridge b;
    char *error;
    pcap_t *pcap;

    bridge_init(&b);
    assert_int_equal(netdev_open("writer", "pcap", &writer), 0);
    assert_int_equal(configure(writer, &error, "tx_pcap", copy, "tx_format",
                               "pcapng", "snaplen", "40", NULL),
                     0);
    dp_port_del(dp_port_lookup(b.fx.bridge, 2));
    assert_int_equal(dp_port_add(b.fx.bridge, writer, 2, &port), 0);
    assert_int_equal(
        configure(b.in, &error, "rx_pcap", path, "rate", "max", NULL), 0);
    fx_run(&b.fx);
    pcap = dp_pcap_open(copy, &error);
    assert_non_null(pcap);
    for (int i = 0; i < 40; i++) {
        assert_int_equal(pcap_next_ex(pcap, &header, &bytes), 1);
        assert_int_equal(header->caplen, 40);
        assert_int_equal(header->len, 60);
        assert_int_equal(bytes[0], i);
    }
    assert_int_equal(pcap_next_ex(pcap, &header, &bytes), PCAP_ERROR_BREAK);
    pcap_close(pcap);
    netdev_close(writer);
    bridge_uninit(&b);
    free(path);
    free(copy);
}

static int
set_up(void **state)
{
    struct dp *dp;

    assert_int_equal(dp_create(DP_INLINE, &dp), 0);     /* Registers. */
    dp_destroy(dp);
    return mkdtemp(dir) ? 0 : -1;
}

static int
tear_down(void **state)
{
    static const char *const names[] = {
        "garbage", "cut", "good", "form0", "form1", "form2", "form3", "loop",
        "empty", "pace", "source", "copy",
    };

    for (size_t i = 0; i < ARRAY_SIZE(names); i++) {
        char *path = in_dir(names[i]);

        unlink(path);
        free(path);
    }
    return rmdir(dir);
}

int
main(void)
{
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(test_errors),
        cmocka_unit_test(test_read),
        cmocka_unit_test(test_loop),
        cmocka_unit_test(test_real_time),
        cmocka_unit_test(test_write),
        cmocka_unit_test(test_compressed),
        cmocka_unit_test(test_forms),
        cmocka_unit_test(test_times),
        cmocka_unit_test(test_write_pcapng),
    };

    return cmocka_run_group_tests_name("dp-pcap", tests, set_up, tear_down);
}
