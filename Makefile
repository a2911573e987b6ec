# SPDX-License-Identifier: Apache-2.0
#
# One Makefile for everything; all output goes to $(BUILD).  Sources are found
# by wildcards: a new file needs no edit here.
#
#   make [TARGET] [V=1] [BUILD=build-asan]      `make help' lists the targets

BUILD ?= build
MAKEFLAGS += --no-builtin-rules
.SUFFIXES:
.DELETE_ON_ERROR:
.DEFAULT_GOAL := all

Q = $(if $(V),,@)
say = $(if $(V),:,echo "  $(1)	$(patsubst $(BUILD)/%,%,$@)")

# These targets need no configuration.
UNCONFIGURED = help deps clean distclean
ifneq ($(if $(MAKECMDGOALS),$(filter-out $(UNCONFIGURED),$(MAKECMDGOALS)),x),)
include $(BUILD)/config.mk
endif
include utilities/ovs-link.mk

# Runs again, with its last arguments, when it changed.  The targets that
# promise to be all the set-up install packages first.
SET_UP = $(filter demo demo-replay check%,$(MAKECMDGOALS))
$(BUILD)/config.mk: configure utilities/build-ovs.sh $(if $(SET_UP),| deps)
	$(Q)./configure --build=$(BUILD) $(CONFIGURE_ARGS)

## Sources

SRC_vm := $(wildcard vm/*.c vm/*/*.c)
SRC_jit := $(wildcard jit/*.c jit/*/*.c)
SRC_dp := $(wildcard datapath/*.c datapath/*/*.c)
SRC_ofproto := $(wildcard ofproto/*.c ofproto/*/*.c)
SRC_util := $(filter-out utilities/bvs-%.c,$(wildcard utilities/*.c))
SRC_programs := $(wildcard utilities/bvs-*.c)
SRC_unit := $(wildcard tests/unit/test-*.c)
SRC_unit_helpers := $(filter-out $(SRC_unit),$(wildcard tests/unit/*.c))
SRC_tools := $(wildcard tests/tools/*.c)
SRC_random := $(wildcard tests/random/*.c)
SRC_fuzz := $(wildcard tests/fuzz/*.c)
SRC_fuzz_targets := $(wildcard tests/fuzz/targets/*.c \
	tests/fuzz/targets/*/*.c)
SRC_bench := $(wildcard tests/bench/bench-*.c)
SRC_bench_helpers := $(filter-out $(SRC_bench),$(wildcard tests/bench/*.c))
SRC_corpus := $(wildcard tests/corpus/tool/*.c)

LIBS_OURS := $(foreach l,vm jit dp ofproto util,$(BUILD)/lib/libbvs-$(l).a)
PROGRAMS := $(SRC_programs:utilities/%.c=$(BUILD)/bin/%)
UNIT_TESTS := $(SRC_unit:tests/unit/%.c=$(BUILD)/tests/unit/%)
TOOLS := $(SRC_tools:tests/tools/%.c=$(BUILD)/tests/tools/%)
BENCHES := $(SRC_bench:tests/bench/bench-%.c=$(BUILD)/tests/bench/%)
CORPUS := $(if $(SRC_corpus),$(BUILD)/tests/corpus/corpus)
RANDOM := $(if $(SRC_random),$(BUILD)/tests/random/random)
FUZZ := $(BUILD)/tests/fuzz/fuzz

objects = $(patsubst %.c,$(BUILD)/obj/%.o,$(1))
SRC_ALL := $(SRC_vm) $(SRC_jit) $(SRC_dp) $(SRC_ofproto) $(SRC_util) \
	$(SRC_programs) $(SRC_unit) $(SRC_unit_helpers) $(SRC_tools) \
	$(SRC_random) $(SRC_corpus) $(SRC_fuzz) $(SRC_fuzz_targets) $(SRC_bench) \
	$(SRC_bench_helpers)
# Sources that the folders' law keeps away from Open vSwitch and DPDK: its
# headers are not on their include path.
SRC_PURE := $(SRC_vm) $(SRC_jit) $(SRC_fuzz) $(filter-out tests/fuzz/targets/switch/%,$(SRC_fuzz_targets)) $(wildcard utilities/bvs-bpf.c \
	utilities/bpf-*.c datapath/xdp_*.c ofproto/metrics-request.c)

## Flags

WARNINGS = -Wall -Wextra -Wno-unused-parameter -Wstrict-prototypes \
	-Wmissing-prototypes -Wold-style-definition -Wpointer-arith $(WERROR)
# The macros of Open vSwitch's headers compare signed with unsigned.
# Its reference counts use fences, which the thread sanitizer cannot follow.
WARNINGS_OVS = -Wno-sign-compare \
	$(if $(findstring thread,$(SANITIZE)),-Wno-tsan)
COMMON = -std=gnu11 -D_GNU_SOURCE -D_FILE_OFFSET_BITS=64 \
	-fno-strict-aliasing -fPIE -pthread -iquote . \
	$(if $(SANITIZE),-fsanitize=$(SANITIZE)) $(CFLAGS) $(WARNINGS)
# Lets its headers use <stdatomic.h> with clang, too, as ours do: the atomics
# of its own that it has for clang do not go together with them in one file.
CLANG_ATOMICS = $(if $(findstring clang,$(CC)),'-D__has_extension(x)=0' \
	-Wno-builtin-macro-redefined)
# Open vSwitch's headers want its config.h before anything else.
OVS_CFLAGS = -include $(OVS)/build/config.h -DHAVE_CONFIG_H -mssse3 $(CLANG_ATOMICS) \
	$(foreach d,src/include build/include src/lib build/lib src build,\
	-isystem $(OVS)/$(d)) $(DPDK_CFLAGS) $(WARNINGS_OVS)

LINK = $(CC) -pie -pthread $(if $(SANITIZE),-fsanitize=$(SANITIZE)) \
	$(CFLAGS) $(LDFLAGS)
LIBS_PURE = -lbpf -lelf -lpcap -lz
LIBS_ALL = -lxdp -lbpf -lelf -lpcap -lz -lssl -lcrypto -lunbound -lcap-ng \
	$(DPDK_LIBS) -lnuma -latomic -lm
OVS_COPIES = $(BUILD)/ovs/libbridge.a $(BUILD)/ovs/libofproto.a \
	$(BUILD)/ovs/libopenvswitch.a
OVS_LIBS = $(OVS_COPIES) $(OVS)/build/ovsdb/.libs/libovsdb.a \
	$(OVS)/build/lib/.libs/libsflow.a

## Building

.PHONY: all
all: $(LIBS_OURS) $(PROGRAMS) ## build the libraries and programs

.PHONY: tests
tests: all $(UNIT_TESTS) $(TOOLS) $(RANDOM) $(CORPUS) $(FUZZ) $(BENCHES) ## build the test programs, too

$(BUILD)/obj/%.o: %.c $(BUILD)/config.mk | $(OVS)/complete
	@$(call say,CC)
	@mkdir -p $(@D)
	$(Q)$(CC) $(COMMON) $(if $(filter $<,$(SRC_PURE)),,$(OVS_CFLAGS)) \
		-MMD -MP -c -o $@ $<

# It carries the schemas of Open vSwitch's sources.
$(BUILD)/obj/utilities/db-schema.o: COMMON += -DBVS_OVS_SRC='"$(OVS)/src"'

-include $(patsubst %.o,%.d,$(call objects,$(SRC_ALL)))

# ar keeps members of files that are gone, so start anew.
define archive
$(BUILD)/lib/libbvs-$(1).a: $(call objects,$(SRC_$(1))) $(BUILD)/lib/$(1).list
	@$$(call say,AR)
	$$(Q)rm -f $$@ && ar rcs $$@ $$(filter %.o,$$^)

# Changes when a file is added or removed.
$(BUILD)/lib/$(1).list: FORCE
	@mkdir -p $$(@D); echo '$(SRC_$(1))' >$$@.new; \
	if cmp -s $$@.new $$@; then rm $$@.new; else mv $$@.new $$@; fi
endef
$(foreach l,vm jit dp ofproto util,$(eval $(call archive,$(l))))

link_all = $(LINK) -o $@ $(filter %.o,$^) -Wl,--start-group $(LIBS_OURS) \
	$(OVS_LIBS) -Wl,--end-group $(LIBS_ALL)

$(filter-out %/bvs-bpf,$(PROGRAMS)): $(BUILD)/bin/%: \
		$(BUILD)/obj/utilities/%.o $(LIBS_OURS) $(OVS_COPIES)
	@$(call say,LINK)
	@mkdir -p $(@D)
	$(Q)$(link_all)

# All its clocks stand still between packets (utilities/replay-clock.h).
$(BUILD)/bin/bvs-replay: LDFLAGS += -Wl,--wrap=clock_gettime

$(filter %/bvs-bpf,$(PROGRAMS)): $(BUILD)/obj/utilities/bvs-bpf.o \
		$(filter %-util.a %-vm.a %-jit.a %-dp.a,$(LIBS_OURS))
	@$(call say,LINK)
	@mkdir -p $(@D)
	$(Q)$(LINK) -o $@ $< -Wl,--start-group $(filter %.a,$^) \
		-Wl,--end-group $(LIBS_PURE) -lcapstone

$(UNIT_TESTS): $(BUILD)/tests/unit/%: $(BUILD)/obj/tests/unit/%.o \
		$(call objects,$(SRC_unit_helpers)) $(LIBS_OURS) $(OVS_COPIES)
	@$(call say,LINK)
	@mkdir -p $(@D)
	$(Q)$(link_all) -lcmocka

# Memory runs out there.
$(BUILD)/tests/unit/test-vm-reject: LDFLAGS += -Wl,--wrap=malloc \
	-Wl,--wrap=calloc -Wl,--wrap=realloc

$(TOOLS): $(BUILD)/tests/tools/%: $(BUILD)/obj/tests/tools/%.o $(LIBS_OURS) \
		$(OVS_COPIES)
	@$(call say,LINK)
	@mkdir -p $(@D)
	$(Q)$(link_all)

$(BENCHES): $(BUILD)/tests/bench/%: $(BUILD)/obj/tests/bench/bench-%.o \
		$(call objects,$(SRC_bench_helpers)) $(LIBS_OURS) $(OVS_COPIES)
	@$(call say,LINK)
	@mkdir -p $(@D)
	$(Q)$(link_all)

$(RANDOM): $(call objects,$(SRC_random)) $(LIBS_OURS) $(OVS_COPIES)
	@$(call say,LINK)
	@mkdir -p $(@D)
	$(Q)$(link_all)

$(CORPUS): $(call objects,$(SRC_corpus)) \
		$(filter %-util.a %-vm.a %-jit.a %-dp.a,$(LIBS_OURS))
	@$(call say,LINK)
	@mkdir -p $(@D)
	$(Q)$(LINK) -o $@ $(filter %.o,$^) -Wl,--start-group \
		$(filter %.a,$^) -Wl,--end-group $(LIBS_PURE)

## Open vSwitch

$(OVS)/complete:
	$(Q)BVS_CACHE='$(BVS_CACHE)' sh utilities/build-ovs.sh $(OVS_OPTIONS)

# A copy of an archive without some of its members.
without = mkdir -p $(@D) && cp $(1) $@.new && ar d $@.new $(2)

$(BUILD)/ovs/libopenvswitch.a: utilities/ovs-link.mk | $(OVS)/complete
	@$(call say,COPY)
	$(Q)$(call without,$(OVS)/build/lib/.libs/libopenvswitch.a,\
		$(OVS_OMIT_LIBOPENVSWITCH:%=%.o)) && mv $@.new $@

OVS_HOOKED = libofproto_la-ofproto.o libofproto_la-connmgr.o

$(BUILD)/ovs/libofproto.a: utilities/ovs-link.mk | $(OVS)/complete
	@$(call say,HOOK)
	$(Q)$(call without,$(OVS)/build/ofproto/.libs/libofproto.a,\
		$(OVS_OMIT_LIBOFPROTO:%=libofproto_la-%.o))
	$(Q)cd $(@D) && ar x $(@F).new $(OVS_HOOKED) && \
		objcopy $(OVS_HOOKS:%=--redefine-sym %) \
			libofproto_la-ofproto.o && \
		objcopy $(OVS_HOOKS_CONNMGR:%=--redefine-sym %) \
			libofproto_la-connmgr.o && \
		ar r $(@F).new $(OVS_HOOKED) && rm $(OVS_HOOKED)
	$(Q)mv $@.new $@

# An archive, so that only the daemon gets it.
$(BUILD)/ovs/libbridge.a: utilities/ovs-link.mk | $(OVS)/complete
	@$(call say,AR)
	$(Q)mkdir -p $(@D) && rm -f $@ && objcopy \
		$(OVS_HOOKS_BRIDGE:%=--redefine-sym %) \
		$(OVS)/build/vswitchd/bridge.o $(@D)/bridge.o
	$(Q)ar rcs $@ $(@D)/bridge.o $(OVS)/build/vswitchd/system-stats.o

$(OVS_COPIES): $(BUILD)/config.mk

## Tests

RUN_TESTS = tests/run --build=$(BUILD) $(TEST_FLAGS)

.PHONY: check check-unit check-replay check-system check-random check-corpus \
	check-fuzz check-soak
check: deps tests ## run all tests; as root, or some are skipped
	@$(RUN_TESTS)
check-unit check-replay check-system check-random check-corpus check-fuzz \
	check-soak: \
		check-%: tests
	@$(RUN_TESTS) --group=$*

# A sanitizer's tree lies beside the normal one.  Its warnings are not errors:
# with a sanitizer gcc sees paths that are not there.
.PHONY: check-asan check-tsan
check-asan: deps ## run all tests with address and undefined sanitizers
	@test -f build-asan/config.mk || ./configure --build=build-asan \
		--sanitize=address,undefined
	$(Q)$(MAKE) BUILD=build-asan tests
	@LSAN_OPTIONS=suppressions=$(CURDIR)/tests/lsan.supp:print_suppressions=0 \
		tests/run --build=build-asan --slow=3 $(TEST_FLAGS)
check-tsan: deps ## run unit tests and a short soak with the thread sanitizer
	@test -f build-tsan/config.mk || ./configure --build=build-tsan \
		--sanitize=thread
	$(Q)$(MAKE) BUILD=build-tsan tests
	@# With too random addresses, gcc 12's libtsan does not start.
	@TSAN_OPTIONS=suppressions=$(CURDIR)/tests/tsan.supp \
		setarch -R tests/run --build=build-tsan --slow=3 --group=unit \
		--group=soak $(TEST_FLAGS)

# Ten minutes a build, one after the other.
SOAK ?= 600
SOAK_BUILDS ?= build build-asan build-tsan
.PHONY: soak
soak: deps tests ## churn under traffic, in each build (SOAK=seconds)
	@test -f build-asan/config.mk || ./configure --build=build-asan \
		--sanitize=address,undefined
	@test -f build-tsan/config.mk || ./configure --build=build-tsan \
		--sanitize=thread
	$(Q)for b in $(SOAK_BUILDS); do \
		$(MAKE) BUILD=$$b all $$b/tests/tools/lanes && \
		BUILD=$$b tests/soak/run $(SOAK) || exit 1; done

.PHONY: check-ovs
check-ovs: deps all ## run Open vSwitch's own tests (long; OVS_FLAGS=...)
	@tests/ovs/run --build=$(BUILD) $(OVS_FLAGS)

.PHONY: bench
bench: tests ## measure, peers included (B=group, UPDATE=1)
	@sh utilities/deps.sh bench
	@tests/bench/run --build=$(BUILD) $(if $(UPDATE),--update) \
		$(BENCH_FLAGS) $(B)

include tests/aarch64/rules.mk
include tests/bench/rules.mk
include tests/fuzz/rules.mk

.PHONY: demo demo-replay
demo: deps all ## see the switch work (root, a minute)
	@BUILD=$(abspath $(BUILD)) tests/demo/run.sh
demo-replay: deps all ## see a policy tested over a capture (no root)
	@BUILD=$(abspath $(BUILD)) tests/demo/replay.sh

# What lint asks.
.PHONY: flags sources
flags:
	@echo '$(COMMON)'; echo '$(COMMON) $(OVS_CFLAGS)'
sources:
	@echo $(SRC_ALL) $(SRC_aarch64)

.PHONY: lint format
lint: tests ## check what a compiler does not
	@sh utilities/deps.sh lint
	@tests/lint/run --build=$(BUILD)
format: ## let clang-format decide
	clang-format -i $(SRC_ALL) $(SRC_aarch64) $(wildcard $(addsuffix \
		/*.h,$(sort $(dir $(SRC_ALL) $(SRC_aarch64)))))

## Installation

BINDIR = $(DESTDIR)$(PREFIX)/bin
SBINDIR = $(DESTDIR)$(PREFIX)/sbin
MANDIR = $(DESTDIR)$(PREFIX)/share/man
UNITDIR = $(DESTDIR)$(PREFIX)/lib/systemd/system
DOCDIR = $(DESTDIR)$(PREFIX)/share/doc/bvs
COMPDIR = $(DESTDIR)$(PREFIX)/share/bash-completion/completions

DAEMON = $(filter %/bvs-vswitchd,$(PROGRAMS))
TO_BIN = $(filter-out $(DAEMON),$(PROGRAMS))
MAN = $(wildcard utilities/man/*.[1-8])
DOCS = $(wildcard README.md NEWS.md LICENSE docs/*.md)
section = $(subst .,,$(suffix $(1)))

# What is installed, as pairs FROM:TO.
INSTALLED = $(foreach f,$(DAEMON),$(f):$(SBINDIR)/$(notdir $(f))) \
	$(foreach f,$(TO_BIN),$(f):$(BINDIR)/$(notdir $(f))) \
	$(foreach f,$(MAN),$(f):$(MANDIR)/man$(call \
		section,$(f))/$(notdir $(f))) \
	$(foreach f,$(DOCS),$(f):$(DOCDIR)/$(notdir $(f))) \
	$(foreach f,bvs-vsctl bvs-appctl,utilities/bvs-completion.bash:$(COMPDIR)/$(f))
UNIT = $(UNITDIR)/bvs-vswitchd.service

.PHONY: install uninstall
install: all ## install to PREFIX, below DESTDIR if it is set
	@$(foreach i,$(INSTALLED),install -D -m $(if $(filter \
		$(BUILD)/bin/%,$(i)),755,644) $(subst :, ,$(i)) &&) :
	@mkdir -p $(UNITDIR)
	@sed 's,@sbindir@,$(PREFIX)/sbin,' utilities/bvs-vswitchd.service.in \
		>$(UNIT) && chmod 644 $(UNIT)
uninstall: ## remove what install installed
	rm -f $(foreach i,$(INSTALLED),$(lastword $(subst :, ,$(i)))) $(UNIT)
	@rmdir $(DOCDIR) 2>/dev/null || :

VERSION = $(shell sed -n 's/.*BVS_VERSION "\(.*\)"/\1/p' utilities/version.h)

.PHONY: deb
deb: deps all ## build a Debian package, build/bvs_*.deb
	@rm -rf $(BUILD)/deb
	$(Q)$(MAKE) install PREFIX=/usr DESTDIR=$(abspath $(BUILD))/deb
	@strip $(BUILD)/deb/usr/sbin/bvs-* $(BUILD)/deb/usr/bin/bvs-*
	@utilities/deb.sh $(BUILD)/deb $(VERSION) $(BUILD)

## The rest

.PHONY: deps
deps: ## install the Debian packages that are missing (as root)
	@sh utilities/deps.sh

.PHONY: clean
clean: ## remove all that was built here (not the cache)
	rm -rf build build-*

.PHONY: help
help: ## list the targets
	@sed -n 's/^\([a-z-]*\):.*## \(.*\)/  make \1	\2/p' Makefile \
		| expand -t 22

.PHONY: FORCE
FORCE:
