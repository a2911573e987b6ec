# SPDX-License-Identifier: Apache-2.0
# Part of the Makefile: the fuzzers.

$(FUZZ): $(call objects,$(SRC_fuzz)) \
		$(filter %-vm.a %-jit.a %-dp.a,$(LIBS_OURS))
	@$(call say,LINK)
	@mkdir -p $(@D)
	$(Q)$(LINK) -o $@ $(filter %.o,$^) -Wl,--start-group \
		$(filter %.a,$^) -Wl,--end-group $(LIBS_PURE)

# SEED=N repeats what a failure names.
.PHONY: fuzz
SECS ?= 60
fuzz: $(FUZZ) ## random programs on every engine (SECS=60 SEED=N)
	$(FUZZ) --secs=$(SECS) --seed=$(or $(SEED),$(shell date +%s%N))

# The fuzzer must find each.  M=NAME: only those with NAME in their name.
.PHONY: fuzz-mutants
fuzz-mutants: ## bugs planted for the fuzzer to find (M=NAME)
	@CC='$(CC)' TOP='$(CURDIR)' tests/fuzz/mutants/run $(M)
