# SPDX-License-Identifier: Apache-2.0
# Part of the Makefile: what the switch's benchmarks need.  They link nothing
# of ours.

SRC_bench_gen := $(wildcard tests/bench/gen/*.c)
SRC_bench_hand := $(wildcard tests/bench/hand/*.c)
SRC_ALL += $(SRC_bench_gen) $(SRC_bench_hand)
BENCH_GEN := $(BUILD)/tests/bench/gen/gen
BENCH_HAND := $(if $(SRC_bench_hand),$(BUILD)/tests/bench/hand/hand)

tests: $(BENCH_GEN) $(BENCH_HAND)

$(BENCH_GEN): $(call objects,$(SRC_bench_gen))
	@$(call say,LINK)
	@mkdir -p $(@D)
	$(Q)$(LINK) -o $@ $^ -lm

$(BENCH_HAND): $(call objects,$(SRC_bench_hand))
	@$(call say,LINK)
	@mkdir -p $(@D)
	$(Q)$(LINK) -o $@ $^ $(DPDK_LIBS)

-include $(patsubst %.o,%.d,$(call objects,$(SRC_bench_gen) $(SRC_bench_hand)))
