/* SPDX-License-Identifier: Apache-2.0 */

/* `bvs-bpf` run and bench. */

#include "utilities/bpf-tool.h"

#include <inttypes.h>
#include <pcap/pcap.h>
#include <stdlib.h>
#include <string.h>
#include <time.h>

#include "datapath/xdp.h"
#include "vm/map.h"

struct counts {
    uint64_t n[DP_XDP_N_VERDICTS];
    uint64_t n_unknown, n_stopped, n_too_long;
    char first_fault[sizeof vm_fault.text];
};

static const char *const engine_names[] = {
    [BPF_CHECKED] = "checked", [BPF_FAST] = "interpret", [BPF_JIT] = "jit",
};

/* Runs one packet; returns the verdict. */
static uint64_t
run_packet(const struct bpf_options *opts, const struct vm_prog *prog,
           struct dp_xdp *x, struct counts *counts)
{
    uint64_t r0 = bpf_engine_run(opts->engine)(prog, x) & UINT32_MAX;

    if (vm_fault.error) {
        if (!counts->n_stopped++) {
            snprintf(counts->first_fault, sizeof counts->first_fault, "%s",
                     vm_fault.text);
        }
        return DP_XDP_ABORTED;
    }
    if (r0 < DP_XDP_N_VERDICTS) {
        counts->n[r0]++;
    } else {
        counts->n_unknown++;
    }
    return r0;
}

static void
print_counts(const struct bpf_options *opts, const struct counts *counts)
{
    printf(opts->json ? "{" : "");
    for (int i = 0; i < DP_XDP_N_VERDICTS; i++) {
        printf(opts->json ? "\"%s\": %" PRIu64 ", " : "%s: %" PRIu64 "\n",
               dp_xdp_verdict_name(i), counts->n[i]);
    }
    printf(opts->json ? "\"unknown\": %" PRIu64 ", \"stopped\": %" PRIu64
                        ", \"too_long\": %" PRIu64 "}\n"
                      : "unknown: %" PRIu64 "\nstopped: %" PRIu64
                        "\ntoo long: %" PRIu64 "\n",
           counts->n_unknown, counts->n_stopped, counts->n_too_long);
    if (counts->n_stopped) {
        bpf_fail("first stop: %s", counts->first_fault);
    }
}

/* Over a capture. */
static int
run_pcap(const struct bpf_options *opts, const struct vm_prog *prog,
         struct dp_xdp *x)
{
    char error[PCAP_ERRBUF_SIZE];
    pcap_t *in = pcap_open_offline(opts->pcap, error);
    pcap_dumper_t *out = NULL;
    struct counts counts = { .n_unknown = 0 };
    struct pcap_pkthdr *header;
    const u_char *packet;
    int result;

    if (!in) {
        return bpf_fail("%s: %s", opts->pcap, error);
    }
    if (opts->output && !(out = pcap_dump_open(in, opts->output))) {
        bpf_fail("%s", pcap_geterr(in));
        pcap_close(in);
        return 1;
    }
    while ((result = pcap_next_ex(in, &header, &packet)) == 1) {
        if (header->caplen > DP_XDP_MAX_PACKET) {
            counts.n_too_long++;
            continue;
        }
        dp_xdp_set_packet(x, packet, header->caplen);
        uint64_t r0 = run_packet(opts, prog, x, &counts);

        /* What the program lets through, as it made it. */
        if (out && (r0 == DP_XDP_PASS || r0 == DP_XDP_TX
                    || r0 == DP_XDP_REDIRECT)) {
            struct pcap_pkthdr passed = *header;
            uint32_t size = x->data_end - x->data;

            passed.len = size + (header->len - header->caplen);
            passed.caplen = size;
            pcap_dump((u_char *) out, &passed, x->data);
        }
        vm_defer_run();
    }

    int status = 0;
    if (result == PCAP_ERROR) {
        status = bpf_fail("%s: %s", opts->pcap, pcap_geterr(in));
    }
    if (out) {
        if (pcap_dump_flush(out)) {
            status = bpf_fail("%s: cannot be written", opts->output);
        }
        pcap_dump_close(out);
    }
    pcap_close(in);
    print_counts(opts, &counts);
    return status;
}

/* A packet from --mem, or 64 bytes of zeros. */
static bool
set_packet(const struct bpf_options *opts, struct dp_xdp *x)
{
    static const uint8_t zeros[64];
    size_t size = sizeof zeros;
    uint8_t *mem = opts->mem ? bpf_parse_hex(opts->mem, &size) : NULL;

    if (opts->mem && (!mem || size > DP_XDP_MAX_PACKET)) {
        if (mem) {
            bpf_fail("--mem: more than %d bytes", DP_XDP_MAX_PACKET);
        }
        free(mem);
        return false;
    }
    dp_xdp_set_packet(x, mem ? mem : zeros, size);
    free(mem);
    return true;
}

static int
run_mem(const struct bpf_options *opts, const struct vm_prog *prog,
        struct dp_xdp *x)
{
    if (!set_packet(opts, x)) {
        return 1;
    }

    uint64_t r0 = bpf_engine_run(opts->engine)(prog, x);
    if (vm_fault.error) {
        return bpf_fail("stopped: %s", vm_fault.text);
    }
    printf(opts->json ? "{\"r0\": %" PRIu64 ", \"verdict\": \"%s\", "
                        "\"packet\": \""
                      : "r0: %" PRIu64 " (%s)\npacket: ",
           r0, dp_xdp_verdict_name(r0));
    for (const uint8_t *p = x->data; p < x->data_end; p++) {
        printf("%02x", *p);
    }
    puts(opts->json ? "\"}" : "");
    return 0;
}

int
bpf_cmd_run(const struct bpf_options *opts)
{
    struct dp_xdp *x = calloc(1, sizeof *x);
    struct bpf_file file;
    struct vm_err err;
    int status = 1;

    if (x && bpf_open(opts, &file)) {
        struct vm_prog *prog = bpf_load(opts, &file, &err);

        if (!prog) {
            bpf_fail("%s", err.text);
        } else if (opts->pcap) {
            status = run_pcap(opts, prog, x);
        } else {
            status = run_mem(opts, prog, x);
        }
        vm_prog_unref(prog);
        bpf_close(&file);
    }
    free(x);
    return status;
}

static double
seconds(void)
{
    struct timespec ts;

    clock_gettime(CLOCK_MONOTONIC, &ts);
    return ts.tv_sec + ts.tv_nsec / 1e9;
}

/* Nanoseconds a run; negative: it was stopped. */
static double
time_runs(const struct bpf_options *opts, const struct vm_prog *prog,
          struct dp_xdp *x)
{
    bpf_run_fn *run = bpf_engine_run(opts->engine);
    uint64_t n = opts->repeat ? opts->repeat : 1;
    double start = seconds();

    for (uint64_t i = 0; i < n; i++) {
        run(prog, x);
        if (opts->engine == BPF_CHECKED && vm_fault.error) {
            bpf_fail("stopped: %s", vm_fault.text);
            return -1;
        }
    }
    return (seconds() - start) * 1e9 / n;
}

int
bpf_cmd_bench(const struct bpf_options *opts)
{
    struct bpf_options one = *opts;
    struct dp_xdp *x = calloc(1, sizeof *x);
    struct bpf_file file;
    int status = 0, n = 0;

    if (!x || !bpf_open(opts, &file)) {
        free(x);
        return 1;
    }
    printf(opts->json ? "[" : "");
    for (int engine = BPF_CHECKED; engine <= BPF_JIT; engine++) {
        struct vm_err err;

        if (opts->engine_given && engine != (int) opts->engine) {
            continue;
        }
        one.engine = engine;
        struct vm_prog *prog = bpf_load(&one, &file, &err);
        if (!prog) {
            status = bpf_fail("%s: %s", engine_names[engine], err.text);
        } else if (engine == BPF_JIT && !prog->native) {
            status = bpf_fail("jit: %s", vm_prog_compile_error(prog)
                              ? vm_prog_compile_error(prog)
                              : "there is none for this machine");
        } else if (set_packet(opts, x)) {
            double ns = time_runs(&one, prog, x);

            if (ns >= 0) {
                printf(opts->json && n++ ? ",\n " : "");
                printf(opts->json ? "{\"engine\": \"%s\", \"ns\": %.2f}"
                                  : "%s: %.2f ns a run\n",
                       engine_names[engine], ns);
            } else {
                status = 1;
            }
        }
        vm_prog_unref(prog);
    }
    printf(opts->json ? "]\n" : "");
    bpf_close(&file);
    free(x);
    return status;
}
