/* SPDX-License-Identifier: Apache-2.0 */

/* `bvs-bpf filter`: a pcap filter expression as classic BPF and as eBPF; over
 * a capture, what both accept. */

#include "utilities/bpf-tool.h"

#include <inttypes.h>
#include <pcap/pcap.h>
#include <stdlib.h>
#include <string.h>

#include "datapath/xdp.h"
#include "vm/cbpf.h"
#include "vm/disasm.h"
#include "vm/emit.h"

_Static_assert(sizeof(struct vm_cbpf_insn) == sizeof(struct bpf_insn),
               "libpcap's instructions are ours");

static struct vm_prog *
convert(const struct bpf_options *opts, const struct bpf_program *classic)
{
    static const struct vm_cbpf_ctx ctx = {
        .data_off = 0, .data_end_off = 4, .ptr_size = 4,
    };
    struct vm_prog_attr attr = { .type = &dp_xdp_type, .name = "filter" };
    struct vm_prog *prog = NULL;
    struct vm_emit e;
    struct vm_err err;

    bpf_engine_attr(opts->engine, &attr);
    vm_emit_init(&e);
    vm_cbpf_convert(&e, (const struct vm_cbpf_insn *) classic->bf_insns,
                    classic->bf_len, &ctx);
    if (vm_emit_finish(&e, &attr, &err)
        || vm_prog_load(&attr, &prog, &err)) {
        bpf_fail("%s", err.text);
    }
    vm_emit_uninit(&e);
    return prog;
}

static void
show(const struct bpf_options *opts, const struct bpf_program *classic,
     const struct vm_prog *prog)
{
    char *text = vm_prog_disasm(prog, VM_DISASM_LABELS);

    if (opts->json) {
        printf("{\"classic\": [");
        for (u_int i = 0; i < classic->bf_len; i++) {
            printf(i ? ", " : "");
            bpf_print_json_string(bpf_image(&classic->bf_insns[i], i));
        }
        printf("], \"ebpf\": ");
        bpf_print_json_string(text ? text : "");
        puts("}");
        free(text);
        return;
    }

    puts("; classic BPF");
    for (u_int i = 0; i < classic->bf_len; i++) {
        printf("; %s\n", bpf_image(&classic->bf_insns[i], i));
    }
    printf("; eBPF, for a program of type xdp\n%s", text ? text : "");
    free(text);
}

/* Counts, and compares with libpcap's own interpreter. */
static int
compare(const struct bpf_options *opts, const struct bpf_program *classic,
        const struct vm_prog *prog)
{
    char error[PCAP_ERRBUF_SIZE];
    pcap_t *in = pcap_open_offline(opts->pcap, error);
    struct dp_xdp *x = calloc(1, sizeof *x);
    uint64_t n = 0, n_accepted = 0, n_different = 0;
    struct pcap_pkthdr *header;
    const u_char *packet;

    if (!in || !x) {
        free(x);
        return bpf_fail("%s: %s", opts->pcap, in ? "no memory" : error);
    }
    while (pcap_next_ex(in, &header, &packet) == 1) {
        struct pcap_pkthdr h = *header;

        if (h.caplen > DP_XDP_MAX_PACKET) {
            h.caplen = DP_XDP_MAX_PACKET;
        }
        h.len = h.caplen;
        dp_xdp_set_packet(x, packet, h.caplen);
        bool ours = bpf_engine_run(opts->engine)(prog, x) != 0;
        bool theirs = pcap_offline_filter(classic, &h, packet) != 0;

        n++;
        n_accepted += ours;
        n_different += ours != theirs || vm_fault.error;
    }
    printf(opts->json ? "{\"packets\": %" PRIu64 ", \"accepted\": %" PRIu64
                        ", \"different\": %" PRIu64 "}\n"
                      : "packets: %" PRIu64 "\naccepted: %" PRIu64
                        "\ndifferent from libpcap: %" PRIu64 "\n",
           n, n_accepted, n_different);
    pcap_close(in);
    free(x);
    return n_different ? 1 : 0;
}

int
bpf_cmd_filter(const struct bpf_options *opts)
{
    pcap_t *pcap = pcap_open_dead(DLT_EN10MB, 65535);
    struct bpf_program classic;
    int status = 1;

    if (!pcap || pcap_compile(pcap, &classic, opts->file, 1,
                              PCAP_NETMASK_UNKNOWN)) {
        bpf_fail("'%s': %s", opts->file, pcap ? pcap_geterr(pcap)
                                              : "no memory");
    } else {
        struct vm_prog *prog = convert(opts, &classic);

        if (prog) {
            status = 0;
            if (opts->pcap) {
                status = compare(opts, &classic, prog);
            } else {
                show(opts, &classic, prog);
            }
        }
        vm_prog_unref(prog);
        pcap_freecode(&classic);
    }
    if (pcap) {
        pcap_close(pcap);
    }
    return status;
}
