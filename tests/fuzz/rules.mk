# SPDX-License-Identifier: Apache-2.0
# Part of the Makefile: the fuzzers.

$(FUZZ): $(call objects,$(SRC_fuzz)) \
		$(filter %-vm.a %-jit.a %-dp.a,$(LIBS_OURS))
	@$(call say,LINK)
	@mkdir -p $(@D)
	$(Q)$(LINK) -o $@ $(filter %.o,$^) -Wl,--start-group \
		$(filter %.a,$^) -Wl,--end-group $(LIBS_PURE)

# What parses untrusted bytes, one program each: tests/fuzz/targets/.
SRC_targets := $(wildcard tests/fuzz/targets/*.c)
SRC_targets_parts := $(wildcard tests/fuzz/targets/parts/*.c)
NAMES_targets := $(SRC_targets:tests/fuzz/targets/%.c=%)
TARGETS := $(NAMES_targets:%=$(BUILD)/tests/fuzz/replay-%)
tests: $(TARGETS)
$(TARGETS): $(BUILD)/tests/fuzz/replay-%: \
		$(BUILD)/obj/tests/fuzz/targets/%.o \
		$(call objects,$(SRC_targets_parts)) \
		$(BUILD)/obj/tests/fuzz/targets/replay/main.o \
		$(filter %-vm.a %-jit.a %-dp.a %-ofproto.a,$(LIBS_OURS))
	@$(call say,LINK)
	@mkdir -p $(@D)
	$(Q)$(LINK) -o $@ $(filter %.o,$^) -Wl,--start-group \
		$(filter %.a,$^) -Wl,--end-group $(LIBS_PURE)

# Those of the switch's own parsers, which Open vSwitch's libraries belong to: tests/fuzz/targets/switch/.
SRC_targets_switch := $(wildcard tests/fuzz/targets/switch/*.c)
NAMES_targets_switch := $(SRC_targets_switch:tests/fuzz/targets/switch/%.c=%)
TARGETS_SWITCH := $(NAMES_targets_switch:%=$(BUILD)/tests/fuzz/replay-%)
tests: $(TARGETS_SWITCH)
$(TARGETS_SWITCH): $(BUILD)/tests/fuzz/replay-%: \
		$(BUILD)/obj/tests/fuzz/targets/switch/%.o \
		$(BUILD)/obj/tests/fuzz/targets/replay/main.o \
		$(LIBS_OURS) $(OVS_COPIES)
	@$(call say,LINK)
	@mkdir -p $(@D)
	$(Q)$(link_all)

# SEED=N repeats what a failure names; KERNEL=N programs are shown to Linux, too.  After the programs the JIT of AArch64
# has a third of the time, and each target a tenth with libFuzzer; T=NAME runs that target alone, for all of it.  What they learn stays in
# build/tests/fuzz/NAME/.
NAMES_targets_all := $(NAMES_targets) $(NAMES_targets_switch)
.PHONY: fuzz fuzz-programs $(NAMES_targets_all:%=fuzz-%)
SECS ?= 60
KERNEL ?= 5000
fuzz: $(if $(T),fuzz-$(T),fuzz-programs fuzz-aarch64 $(NAMES_targets_all:%=fuzz-%)) ## random programs, bytes for each parser (SECS=60 SEED=N T=NAME)

fuzz-programs: $(FUZZ)
	$(FUZZ) --secs=$(SECS) --census --seed=$(or $(SEED),$(shell date +%s%N))
	$(FUZZ) --kernel --count=$(KERNEL) --inputs=1 --seed=$(or $(SEED),1) \
		|| [ $$? = 77 ]

LIBFUZZER = clang -std=gnu11 -D_GNU_SOURCE -g -O1 -iquote . -pthread \
	-fno-strict-aliasing -fsanitize=fuzzer,address,undefined \
	-fno-sanitize-recover=undefined
run_libfuzzer = cd $(BUILD)/tests/fuzz && ./lib-$* -print_final_stats=1 \
	-max_total_time=$(if $(T),$(SECS),$(shell expr $(SECS) / 10)) \
	$* $(CURDIR)/tests/fuzz/corpus/$*

$(NAMES_targets:%=fuzz-%): fuzz-%:
	$(Q)mkdir -p $(BUILD)/tests/fuzz/$*
	$(Q)$(LIBFUZZER) -o $(BUILD)/tests/fuzz/lib-$* \
		tests/fuzz/targets/$*.c $(SRC_targets_parts) $(SRC_vm) \
		$(SRC_jit) $(wildcard datapath/xdp_*.c) \
		ofproto/metrics-request.c $(LIBS_PURE)
	$(run_libfuzzer)

# What of the switch libFuzzer follows; the rest is linked as it was built.  Open vSwitch reads at addresses that are not
# aligned.
FOLLOWED_pcap = datapath/pcap-file.c
FOLLOWED_parse = datapath/parse.c ofproto/compile/parse.c $(OVS)/src/lib/flow.c
FOLLOWED_flowmod = $(wildcard ofproto/compile/*.c) $(addprefix $(OVS)/src/lib/,ofp-actions.c ofp-flow.c nx-match.c)
$(NAMES_targets_switch:%=fuzz-%): fuzz-%: $(LIBS_OURS) $(OVS_COPIES)
	$(Q)mkdir -p $(BUILD)/tests/fuzz/$*
	$(Q)$(LIBFUZZER) -fno-sanitize=alignment $(OVS_CFLAGS) -w \
		'-D__has_extension(x)=0' -Wno-builtin-macro-redefined \
		-o $(BUILD)/tests/fuzz/lib-$* tests/fuzz/targets/switch/$*.c \
		$(FOLLOWED_$*) -Wl,--start-group $(LIBS_OURS) $(OVS_LIBS) \
		-Wl,--end-group $(LIBS_ALL)
	$(run_libfuzzer)

# The fuzzer must find each.  M=NAME: only those with NAME in their name.
.PHONY: fuzz-mutants
fuzz-mutants: $(FUZZ) ## bugs planted for the fuzzer to find (M=NAME)
	@CC='$(CC)' TOP='$(CURDIR)' tests/fuzz/mutants/run $(M)
	@if command -v qemu-aarch64 >/dev/null \
		&& command -v $(A64_CC) >/dev/null; then \
		TOP='$(CURDIR)' tests/fuzz/mutants/run --aarch64 $(M); fi
