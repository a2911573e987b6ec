# SPDX-License-Identifier: Apache-2.0
#
# `make check-aarch64': vm/ and jit/, without the ELF loader, and their tests,
# for AArch64; part of the Makefile.  All output goes to build-aarch64/.

A64 = build-aarch64
A64_CC ?= aarch64-linux-gnu-gcc
A64_FLAGS = -std=gnu11 -D_GNU_SOURCE -O2 -g -fno-strict-aliasing \
	-ffunction-sections -pthread -iquote . -isystem tests/aarch64 \
	$(WARNINGS)
# Static: no C library of that machine is needed to run them.
A64_LINK = $(A64_CC) -static -pthread -Wl,--gc-sections \
	-Wl,--wrap=__clear_cache

A64_LIB := $(filter-out vm/elf%,$(SRC_vm)) \
	$(filter-out jit/x86_64%,$(SRC_jit)) tests/aarch64/qemu.c
SRC_aarch64 := $(wildcard tests/aarch64/*.c)
A64_HELPERS := $(wildcard tests/unit/vm-*.c tests/unit/jit-*.c)
# Without those that need more than vm/ and jit/, and those of the verifier's
# arithmetic and places, which are long and the same on every machine.
A64_TESTS := $(filter-out $(patsubst %,tests/unit/test-vm-%.c,elf cbpf \
	maps-kernel reject scalar),\
	$(wildcard tests/unit/test-vm-*.c tests/unit/test-jit*.c))
A64_PLUGIN = utilities/bpf-plugin.c utilities/bpf-tool.c \
	tests/aarch64/plugin.c
a64_objects = $(patsubst %.c,$(A64)/obj/%.o,$(1))
# The fuzzer, with the type of XDP programs.
A64_FUZZ := $(SRC_fuzz) $(wildcard datapath/xdp_*.c)
A64_PROGRAMS = $(A64_TESTS:tests/unit/%.c=$(A64)/tests/unit/%) \
	$(A64)/bin/plugin $(A64)/tests/fuzz/fuzz

$(A64)/obj/%.o: %.c tests/aarch64/rules.mk
	@$(call say,A64CC)
	@mkdir -p $(@D)
	$(Q)$(A64_CC) $(A64_FLAGS) -MMD -MP -c -o $@ $<

-include $(patsubst %.o,%.d,$(call a64_objects,$(A64_LIB) $(A64_HELPERS) \
	$(A64_TESTS) $(A64_PLUGIN) $(A64_FUZZ)))

$(A64)/lib.a: $(call a64_objects,$(A64_LIB) $(A64_HELPERS))
	$(Q)rm -f $@ && aarch64-linux-gnu-ar rcs $@ $^

$(filter $(A64)/tests/unit/%,$(A64_PROGRAMS)): $(A64)/tests/unit/%: \
		$(A64)/obj/tests/unit/%.o $(A64)/lib.a
	@$(call say,A64LD)
	@mkdir -p $(@D)
	$(Q)$(A64_LINK) -o $@ $^

$(A64)/bin/plugin: $(call a64_objects,$(A64_PLUGIN)) $(A64)/lib.a
	@$(call say,A64LD)
	@mkdir -p $(@D)
	$(Q)$(A64_LINK) -o $@ $^

$(A64)/tests/fuzz/fuzz: $(call a64_objects,$(A64_FUZZ)) $(A64)/lib.a
	@$(call say,A64LD)
	@mkdir -p $(@D)
	$(Q)$(A64_LINK) -o $@ $^

.PHONY: tests-aarch64 check-aarch64
tests-aarch64: $(A64_PROGRAMS)
check-aarch64: ## run the tests of vm and jit for AArch64, under QEMU
	@sh utilities/deps.sh build aarch64
	$(Q)$(MAKE) $(BUILD)/bin/bvs-bpf $(FUZZ) tests-aarch64
	@BVS_TEST_PROGRAMS=5000 PATH=$(abspath $(BUILD))/bin:$$PATH tests/run --build=$(A64) \
		--group=unit --group=aarch64 --under=qemu-aarch64 \
		$(foreach t,$(notdir $(A64_TESTS:%.c=%)),--unit=$(t)) \
		$(TEST_FLAGS)

# The JIT of AArch64 beside this machine's engines (tests/fuzz/wire.h).
.PHONY: fuzz-aarch64
fuzz-aarch64: $(FUZZ)
	@if command -v qemu-aarch64 >/dev/null \
		&& command -v $(A64_CC) >/dev/null; then \
		$(MAKE) $(A64)/tests/fuzz/fuzz \
		&& $(FUZZ) --tell --secs=$(shell expr $(SECS) / 3) \
			--seed=$(or $(SEED),$(shell date +%s%N)) \
		| qemu-aarch64 $(A64)/tests/fuzz/fuzz --hear; \
	else \
		echo "fuzz: nothing of AArch64, for want of $(A64_CC), QEMU"; \
	fi
