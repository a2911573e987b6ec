/* SPDX-License-Identifier: Apache-2.0 */

/* Classic BPF to eBPF: against libpcap's interpreter, over filters that
 * people write and over random programs, on every packet of every capture
 * here and on 100,000 that are cut and mutated; on every engine. */

#include <errno.h>
#include <ftw.h>
#include <pcap/pcap.h>
#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>
#include <stdint.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <cmocka.h>

#include "jit/jit.h"
#include "datapath/xdp.h"
#include "vm/cbpf.h"
#include "vm/map.h"
#include "vm/verify.h"

static const char *const filters[] = {
    "tcp", "udp port 53", "tcp port 80 and not host 10.0.0.1",
    "tcp[13] & 2 != 0", "icmp or icmp6 or arp", "vlan",
    "vlan and ip", "vlan 5", "ip[6:2] & 0x1fff != 0", "len > 100",
    "ether broadcast or ether multicast", "greater 60 and less 1000",
    "tcp[((tcp[12] & 0xf0) >> 2):4] = 0x47455420", "portrange 1000-40000",
    "ether[ip[8]:1] > 4", "net 10.0.0.0/8", "ip proto \\sctp or ip6[6] = 17",
    "ether[0:4] / ether[12] > 17", "ip[2:2] % 3 = 1 or ether[5] << ip[8] = 0",
    "ip6 and udp", "icmp[0] = 8", "arp[6:2] = 2", "src port 53",
    "tcp and (port 22 or port 443) and not src host 192.168.0.1",
    "ip[0] & 0xf != 5", "ip6[40:4] & 0xffff0000 != 0", "ether[0] & 1 = 1",
    "ether src 02:00:00:00:00:01 or ether dst 02:00:00:00:00:01",
    "ip proto 17 and udp[4:2] > 100", "tcp[tcpflags] & (tcp-syn|tcp-fin) != 0",
    "mpls", "vlan 2 and not tcp", "ether proto 0x88cc", "ip multicast",
    "not ip", "dst net 10.1.0.0 mask 255.255.0.0 or src host fe80::1",
};

#define MAX_PACKETS 10000
#define N_FILTERS (sizeof filters / sizeof filters[0])
#define N_MUTATED 100000

static struct packet {
    uint8_t *data;
    uint32_t size;
} packets[MAX_PACKETS];
static size_t n_packets;
static int n_captures;

static struct dp_xdp xdp;
static uint32_t seed = 12345;

static void
add_packet(const uint8_t *data, uint32_t size)
{
    for (size_t i = 0; i < n_packets; i++) {
        if (packets[i].size == size && !memcmp(packets[i].data, data, size)) {
            return;
        }
    }
    assert_true(n_packets < MAX_PACKETS);
    packets[n_packets].data = malloc(size + 1);
    memcpy(packets[n_packets].data, data, size);
    packets[n_packets++].size = size;
}

/* The packets of a capture, if it is one of Ethernet. */
static int
read_capture(const char *path, const struct stat *st, int type,
             struct FTW *ftw)
{
    char error[PCAP_ERRBUF_SIZE];
    const char *name = path + ftw->base;
    struct pcap_pkthdr *header;
    const u_char *data;
    pcap_t *in;

    if (type != FTW_F || !strstr(name, ".pcap")) {
        return 0;
    }
    in = pcap_open_offline(path, error);
    if (!in) {
        return 0;               /* A broken one, of other tests. */
    }
    n_captures += pcap_datalink(in) == DLT_EN10MB;
    while (pcap_datalink(in) == DLT_EN10MB
           && pcap_next_ex(in, &header, &data) == 1) {
        add_packet(data, header->caplen);
    }
    pcap_close(in);
    return 0;
}

static void
read_captures(void)
{
    const char *top = getenv("TOP");
    char tests[4096];

    snprintf(tests, sizeof tests, "%s/tests", top ? top : ".");
    assert_int_equal(nftw(tests, read_capture, 16, FTW_PHYS), 0);
    print_message("%zu different packets in %d captures\n", n_packets,
                  n_captures);
    assert_true(n_captures > 700 && n_packets > 800);
}

static struct vm_prog *
convert(const struct bpf_insn *insns, uint32_t n, int engine,
        struct vm_err *err)
{
    static const struct vm_cbpf_ctx ctx = { 0, 4, 4 };
    struct vm_prog_attr attr = {
        .type = &dp_xdp_type,
        .verify = engine ? vm_verify : NULL,
        .backend = engine == 2 ? jit_backend() : NULL,
    };
    struct vm_prog *prog = NULL;
    struct vm_emit e;

    vm_emit_init(&e);
    vm_cbpf_convert(&e, (const struct vm_cbpf_insn *) insns, n, &ctx);
    if (!vm_emit_finish(&e, &attr, err)) {
        vm_prog_load(&attr, &prog, err);
    }
    vm_emit_uninit(&e);
    return prog;
}

/* A classic program and what it is on each engine. */
struct filter {
    const char *text;
    struct bpf_insn *insns;
    uint32_t n;
    struct vm_prog *engines[3]; /* Checked, fast, native. */
};

static void
filter_init(struct filter *f)
{
    for (int i = 0; i < 3; i++) {
        struct vm_err err = { "" };

        f->engines[i] = convert(f->insns, f->n, i, &err);
        if (!f->engines[i]) {
            fail_msg("%s: %s", f->text, err.text);
        }
    }
}

static void
filter_uninit(struct filter *f)
{
    for (int i = 0; i < 3; i++) {
        vm_prog_unref(f->engines[i]);
    }
    vm_defer_run();
}

/* On engine 'from' and those after it. */
static void
compare(const struct filter *f, const struct packet *packet, int from)
{
    const uint8_t *data = packet->data;
    uint32_t size = packet->size;
    u_int theirs = bpf_filter(f->insns, data, size, size);

    dp_xdp_set_packet(&xdp, data, size);
    for (int i = from; i < 3; i++) {
        uint64_t ours = vm_prog_run(f->engines[i], &xdp);

        assert_int_equal(vm_fault.error, 0);
        if ((uint32_t) ours != theirs) {
            for (uint32_t pc = 0; pc < f->n; pc++) {
                print_error("%s\n", bpf_image(&f->insns[pc], pc));
            }
            fail_msg("%s: 0x%x, libpcap 0x%x", f->text, (uint32_t) ours,
                     theirs);
        }
    }
}

/* A copy of a real packet that may be cut and has up to five other bytes. */
static struct packet
mutated(void)
{
    const struct packet *p = &packets[rand_r(&seed) % n_packets];
    struct packet copy = { malloc(p->size + 1), p->size };

    if (rand_r(&seed) % 4 == 0) {
        copy.size = rand_r(&seed) % (p->size + 1);
    }
    memcpy(copy.data, p->data, p->size);
    for (int j = rand_r(&seed) % 6; j && copy.size; j--) {
        copy.data[rand_r(&seed) % copy.size % 64] = rand_r(&seed);
    }
    return copy;
}

/* One program on all packets and on 'n_mutated' others. */
static void
compare_packets(struct bpf_insn *insns, uint32_t n, const char *what,
                int n_mutated)
{
    struct filter f = { .text = what, .insns = insns, .n = n };

    filter_init(&f);
    for (size_t i = 0; i < n_packets; i++) {
        compare(&f, &packets[i], 0);
    }
    for (int i = 0; i < n_mutated; i++) {
        struct packet p = mutated();

        compare(&f, &p, 0);
        free(p.data);
    }
    filter_uninit(&f);
}

/* Every filter on every packet; of the mutated ones, the interpreters see one
 * in 16. */
static void
test_filters(void **state)
{
    static struct bpf_program classic[2 * N_FILTERS];
    static struct filter all[2 * N_FILTERS];
    pcap_t *pcap = pcap_open_dead(DLT_EN10MB, 65535);

    for (size_t i = 0; i < 2 * N_FILTERS; i++) {
        const char *text = filters[i / 2];

        if (pcap_compile(pcap, &classic[i], text, i % 2,
                         PCAP_NETMASK_UNKNOWN)) {
            fail_msg("%s: %s", text, pcap_geterr(pcap));
        }
        all[i] = (struct filter) { .text = text,
                                   .insns = classic[i].bf_insns,
                                   .n = classic[i].bf_len };
        filter_init(&all[i]);
    }
    for (size_t i = 0; i < 2 * N_FILTERS; i++) {
        for (size_t j = 0; j < n_packets; j++) {
            compare(&all[i], &packets[j], 0);
        }
    }
    for (int j = 0; j < N_MUTATED; j++) {
        struct packet p = mutated();

        for (size_t i = 0; i < 2 * N_FILTERS; i++) {
            compare(&all[i], &p, j % 16 ? 2 : 0);
        }
        free(p.data);
    }
    for (size_t i = 0; i < 2 * N_FILTERS; i++) {
        filter_uninit(&all[i]);
        pcap_freecode(&classic[i]);
    }
    pcap_close(pcap);
}

/* Every classic instruction, in random order. */
static struct bpf_insn
random_insn(uint32_t left)
{
    static const uint16_t codes[] = {
        0x00, 0x01, 0x20, 0x28, 0x30, 0x40, 0x48, 0x50, 0x60, 0x61, 0x80,
        0x81, 0xb1, 0x02, 0x03, 0x04, 0x0c, 0x14, 0x1c, 0x24, 0x2c, 0x34,
        0x3c, 0x44, 0x4c, 0x54, 0x5c, 0x64, 0x6c, 0x74, 0x7c, 0x84, 0x94,
        0x9c, 0xa4, 0xac, 0x05, 0x15, 0x1d, 0x25, 0x2d, 0x35, 0x3d, 0x45,
        0x4d, 0x06, 0x16, 0x07, 0x87,
    };
    struct bpf_insn insn = {
        .code = codes[rand_r(&seed) % (sizeof codes / sizeof codes[0])],
        .k = rand_r(&seed) % 4 ? rand_r(&seed) % 40 : (uint32_t) rand_r(&seed)
             << 1,
    };
    int class = insn.code & 7;

    if (class == 2 || class == 3
        || (class < 2 && (insn.code & 0xe0) == 0x60)) {
        insn.k %= 16;
    } else if (insn.code == 0x64 || insn.code == 0x74) {
        insn.k %= 32;           /* More is undefined in libpcap. */
    } else if (insn.code == 0x34 || insn.code == 0x94) {
        insn.k += !insn.k;
    } else if (class == 5) {
        insn.jt = rand_r(&seed) % left;
        insn.jf = rand_r(&seed) % left;
        insn.k = insn.code == 0x05 ? rand_r(&seed) % left : insn.k;
    } else if (class == 6 && rand_r(&seed) % 4) {
        insn.code = 0x07;
    }
    return insn;
}

static void
test_random(void **state)
{
    size_t all = n_packets;

    n_packets = 30;
    for (int i = 0; i < 1500; i++) {
        struct bpf_insn insns[24] = { { 0 } };
        uint32_t n = 4 + rand_r(&seed) % 20;

        for (uint32_t j = 0; j + 1 < n; j++) {
            insns[j] = random_insn(n - 1 - j);
        }
        /* Starts with what libpcap leaves undefined. */
        for (uint32_t k = 0; k < 2; k++) {
            insns[k] = (struct bpf_insn) { .code = k, .k = 3 + k };
        }
        for (uint32_t j = 0; j < n; j++) {
            /* Scratch that was not written is undefined there. */
            if ((insns[j].code & 7) < 2 && (insns[j].code & 0xe0) == 0x60) {
                insns[j].code = insns[j].code & 1 ? 0x81 : 0x80;
            }
        }
        insns[n - 1] = (struct bpf_insn) { .code = 0x16 };
        compare_packets(insns, n, "random", 20);
    }
    n_packets = all;
}

/* What is stored comes back. */
static void
test_scratch(void **state)
{
    struct bpf_insn insns[] = {
        { 0x30, 0, 0, 0 }, { 0x02, 0, 0, 15 }, { 0x30, 0, 0, 1 },
        { 0x02, 0, 0, 0 }, { 0x61, 0, 0, 15 }, { 0x60, 0, 0, 0 },
        { 0x0c, 0, 0, 0 }, { 0x03, 0, 0, 7 }, { 0x61, 0, 0, 7 },
        { 0x2c, 0, 0, 0 }, { 0x16, 0, 0, 0 },
    };

    compare_packets(insns, sizeof insns / sizeof insns[0], "scratch", 100);
}

static void
test_bad(void **state)
{
    static const struct {
        struct bpf_insn insns[2];
        const char *error;
    } bad[] = {
        { { { 0x00, 0, 0, 1 }, { 0x00, 0, 0, 1 } }, "ends with 'ret'" },
        { { { 0x05, 0, 0, 1 }, { 0x06, 0, 0, 1 } }, "jump out of" },
        { { { 0x15, 1, 0, 1 }, { 0x06, 0, 0, 1 } }, "jump out of" },
        { { { 0x15, 0, 9, 1 }, { 0x06, 0, 0, 1 } }, "jump out of" },
        { { { 0x60, 0, 0, 16 }, { 0x06, 0, 0, 1 } }, "scratch memory 16" },
        { { { 0x34, 0, 0, 0 }, { 0x06, 0, 0, 1 } }, "division by 0" },
        { { { 0xb4, 0, 0, 0 }, { 0x06, 0, 0, 1 } }, "unknown instruction" },
        { { { 0x55, 0, 0, 0 }, { 0x06, 0, 0, 1 } }, "unknown instruction" },
        { { { 0xe0, 0, 0, 0 }, { 0x06, 0, 0, 1 } }, "unknown instruction" },
        { { { 0xa1, 0, 0, 0 }, { 0x06, 0, 0, 1 } }, "unknown instruction" },
        { { { 0x38, 0, 0, 0 }, { 0x06, 0, 0, 1 } }, "unknown instruction" },
        { { { 0x5f20, 0, 0, 0 }, { 0x06, 0, 0, 1 } }, "unknown instruction" },
        { { { 0x08, 0, 0, 0 }, { 0x06, 0, 0, 1 } }, "unknown instruction" },
    };

    for (size_t i = 0; i < sizeof bad / sizeof bad[0]; i++) {
        struct vm_err err = { "" };

        assert_null(convert(bad[i].insns, 2, 0, &err));
        if (!strstr(err.text, bad[i].error)) {
            fail_msg("'%s', expected '%s'", err.text, bad[i].error);
        }
    }
}

int
main(void)
{
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(test_filters),
        cmocka_unit_test(test_random),
        cmocka_unit_test(test_scratch),
        cmocka_unit_test(test_bad),
    };

    read_captures();
    int failed = cmocka_run_group_tests(tests, NULL, NULL);
    while (n_packets) {
        free(packets[--n_packets].data);
    }
    return failed;
}
