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
TARGETS := $(SRC_targets:tests/fuzz/targets/%.c=$(BUILD)/tests/fuzz/replay-%)
tests: $(TARGETS)
$(TARGETS): $(BUILD)/tests/fuzz/replay-%: \
		$(BUILD)/obj/tests/fuzz/targets/%.o \
		$(BUILD)/obj/tests/fuzz/targets/replay/main.o \
		$(filter %-vm.a %-jit.a %-dp.a,$(LIBS_OURS))
	@$(call say,LINK)
	@mkdir -p $(@D)
	$(Q)$(LINK) -o $@ $(filter %.o,$^) -Wl,--start-group \
		$(filter %.a,$^) -Wl,--end-group $(LIBS_PURE)

# SEED=N repeats what a failure names; KERNEL=N programs are shown to Linux, too; T=NAME runs a target with libFuzzer,
# which leaves what it learns in build/tests/fuzz/NAME/.
.PHONY: fuzz
SECS ?= 60
KERNEL ?= 5000
fuzz: $(FUZZ) ## random programs, or bytes for a parser (SECS=60 SEED=N T=NAME)
ifeq ($(T),)
	$(FUZZ) --secs=$(SECS) --census --seed=$(or $(SEED),$(shell date +%s%N))
	$(FUZZ) --kernel --count=$(KERNEL) --inputs=1 --seed=$(or $(SEED),1) \
		|| [ $$? = 77 ]
else
	$(Q)mkdir -p $(BUILD)/tests/fuzz/$(T)
	$(Q)clang -std=gnu11 -D_GNU_SOURCE -g -O1 -iquote . -pthread \
		-fno-strict-aliasing -fsanitize=fuzzer,address,undefined -o $(BUILD)/tests/fuzz/lib-$(T) \
		tests/fuzz/targets/$(T).c $(SRC_vm) \
		$(wildcard datapath/xdp_*.c) -lbpf -lelf
	cd $(BUILD)/tests/fuzz && ./lib-$(T) -max_total_time=$(SECS) \
		-print_final_stats=1 $(T) $(CURDIR)/tests/fuzz/corpus/$(T)
endif

# The fuzzer must find each.  M=NAME: only those with NAME in their name.
.PHONY: fuzz-mutants
fuzz-mutants: ## bugs planted for the fuzzer to find (M=NAME)
	@CC='$(CC)' TOP='$(CURDIR)' tests/fuzz/mutants/run $(M)
