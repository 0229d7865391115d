# Xen event channels as C parts.  One Makefile, no recursion, output in build/.
#
# Needs gcc or clang, GNU make and libc; `make check` needs more and names it.

CC ?= cc
AR ?= ar
BUILD ?= build
PREFIX ?= /usr/local
CFLAGS ?= -O2 -g
# What `make check` builds its tests with, in a tree of its own.
SANITIZE ?= -fsanitize=address,undefined -fno-sanitize-recover=all

include core/sources.mk

# make FIFO=none: a core without FIFO event channels
FIFO ?= yes
CORE_ALL := $(CORE_SRCS) $(if $(filter none,$(FIFO)),$(CORE_FIFO_NONE_SRCS),$(CORE_FIFO_SRCS))

include abi/sources.mk guest/sources.mk
include hosts/template/sources.mk hosts/sim/sources.mk hosts/process/sources.mk
include tools/evtchn/sources.mk examples/sources.mk tests/sources.mk
include bench/sources.mk user/sources.mk

# An embedder with another compiler turns this off: make WERROR=
WERROR ?= -Werror
WARN := -Wall -Wextra -Wpedantic -Wshadow -Wvla -Wundef -Wconversion \
	-Wswitch-enum -Wstrict-prototypes -Wmissing-prototypes \
	-Wpointer-arith -Wwrite-strings $(WERROR)
# core/ and guest/ are held to more, and see no libc.
FREESTANDING := -ffreestanding -nostdinc \
	-isystem $(shell $(CC) -print-file-name=include) \
	-Wsign-conversion -Wcast-qual -Wcast-align -fno-common

# The -I list of a part is its dependency rule.
INC_abi := -Iabi/include
INC_core := $(INC_abi) -Ibase/include -Icore/include
INC_guest := $(INC_abi) -Ibase/include -Iguest/include
INC_host := $(INC_core) -Iguest/include
INC_sim := $(INC_host) -Ihosts/sim/include
INC_process := $(INC_host) -Ihosts/process/include
INC_user := $(INC_process) -Iuser/include
INC_all := $(INC_sim) -Ihosts/process/include -I.

FLAGS_abi := $(FREESTANDING) $(INC_abi)
FLAGS_core := $(FREESTANDING) $(INC_core)
FLAGS_guest := $(FREESTANDING) $(INC_guest)
FLAGS_hosts/template := $(FREESTANDING) $(INC_host)
FLAGS_hosts/sim := -D_GNU_SOURCE $(INC_sim)
FLAGS_hosts/process := -D_GNU_SOURCE $(INC_process)
FLAGS_tools/evtchn := -D_GNU_SOURCE $(INC_all)
FLAGS_user := -D_GNU_SOURCE $(INC_user)
FLAGS_examples := -D_GNU_SOURCE $(INC_user)
FLAGS_bench := -D_GNU_SOURCE $(INC_all)
FLAGS_tests := -D_GNU_SOURCE $(INC_all) -Iuser/include $(TEST_CFLAGS)

PARTS := abi core guest hosts/template hosts/sim hosts/process tools/evtchn \
	user examples bench tests
# The part a source file belongs to: the longest prefix of PARTS.
part = $(firstword $(foreach p,$(PARTS),$(if $(filter $(p)/%,$(1)),$(p))))
flags = -std=c11 $(WARN) $(FLAGS_$(call part,$(1))) -MMD -MP

objs = $(patsubst %.c,$(BUILD)/obj/%.o,$(1))
sanobjs = $(patsubst %.c,$(BUILD)/san/%.o,$(1))

LIB := $(BUILD)/lib
BIN := $(BUILD)/bin

LIBS := $(LIB)/libevc.a $(LIB)/libevg.a $(LIB)/libevp.a
PROGRAMS := $(BIN)/evtchn $(BIN)/evtchnd $(BIN)/evtchn-bench $(EXAMPLES:%=$(BIN)/%)

.DEFAULT_GOAL := all
.PHONY: all run check check-fast check-long bench clean install format help
.DELETE_ON_ERROR:
.PRECIOUS: $(BUILD)/obj/%.o $(BUILD)/san/%.o

all: $(LIBS) $(PROGRAMS) $(USER_LIBS) $(call objs,$(ABI_SRCS) $(TEMPLATE_SRCS)) ## build everything (the default)

run: all ## two processes as domains: the demonstration, 10,000 round trips
	@examples/alice.sh $(BUILD)

check: ## everything: unit, ABI, recordings, processes, rules (installs or names what it needs)
	@scripts/check $(BUILD)

check-fast: ## the part of check that takes seconds
	@scripts/check --fast $(BUILD)

check-long: ## check, with the searches and random tests at full length (an hour or more)
	@scripts/check --long $(BUILD)

bench: $(BENCH_PROGRAMS) all ## speed, as ratios to what one would use instead
	@bench/run.sh $(BUILD)

help: ## this text
	@awk -F':.*## ' '/^[a-z-]+:.*## / {printf "  make %-12s %s\n", $$1, $$2}' $(MAKEFILE_LIST)

clean: ## remove build/
	rm -rf $(BUILD)

install: all ## programs, libraries and headers to PREFIX (default /usr/local)
	install -d "$(DESTDIR)$(PREFIX)/bin" "$(DESTDIR)$(PREFIX)/lib"
	install $(BIN)/evtchn $(BIN)/evtchnd $(BIN)/evtchn-bench "$(DESTDIR)$(PREFIX)/bin"
	install -m 644 $(LIBS) "$(DESTDIR)$(PREFIX)/lib"
	@for part in abi base core guest hosts/process; do \
		for h in $$part/include/*/*.h; do \
			install -D -m 644 "$$h" "$(DESTDIR)$(PREFIX)/include/evtchn/$${h#*/include/}" \
				|| exit 1; \
		done \
	done
	@$(install_user)
	@$(install_cli)

format: ## reformat the sources with clang-format
	@scripts/format --fix

# --- rules -------------------------------------------------------------------

$(BUILD)/obj/%.o: %.c Makefile
	@mkdir -p $(@D)
	$(CC) $(CFLAGS) $(call flags,$<) -c $< -o $@

$(BUILD)/san/%.o: %.c Makefile
	@mkdir -p $(@D)
	$(CC) $(CFLAGS) $(SANITIZE) $(call flags,$<) -c $< -o $@

define archive
	@mkdir -p $(@D)
	@rm -f $@
	$(AR) rcs $@ $(filter %.o,$^)
endef

define relocatable
	@mkdir -p $(@D)
	$(CC) -r -nostdlib $(filter %.o,$^) -o $@
endef

define program
	@mkdir -p $(@D)
	$(CC) $(CFLAGS) $(LDFLAGS) $(filter %.o %.a,$^) $(LDLIBS) -o $@
endef

define sanprogram
	@mkdir -p $(@D)
	$(CC) $(CFLAGS) $(SANITIZE) $(LDFLAGS) $(filter %.o %.a,$^) $(LDLIBS) -o $@
endef

# What is linked from the core depends on FIFO; so this file's name does.
FLAVOUR := $(BUILD)/flavour-fifo-$(FIFO)

$(FLAVOUR):
	@mkdir -p $(@D)
	@rm -f $(BUILD)/flavour-*
	@touch $@

$(BUILD)/obj/libevc.o $(BIN)/evtchnd $(BIN)/evtchn $(BUILD)/san/bin/evtchnd \
	$(BUILD)/san/bin/evtchn: $(FLAVOUR)

# One object each, so that `nm -u` of the library is the list of its hooks.
$(BUILD)/obj/libevc.o: $(call objs,$(CORE_ALL))
	$(relocatable)
$(BUILD)/obj/libevg.o: $(call objs,$(GUEST_SRCS))
	$(relocatable)
$(LIB)/libevc.a: $(BUILD)/obj/libevc.o
	$(archive)
$(LIB)/libevg.a: $(BUILD)/obj/libevg.o
	$(archive)
# A process uses delivery without the rest of the core.
EVP_ALL := $(EVP_SRCS) core/deliver_2l.c core/deliver_fifo.c
$(LIB)/libevp.a: $(call objs,$(EVP_ALL))
	$(archive)

$(BIN)/evtchnd $(BUILD)/san/bin/evtchnd: LDLIBS += -pthread
$(BIN)/evtchnd: $(call objs,$(EVTCHND_SRCS) $(CORE_ALL))
	$(program)
$(BIN)/evtchn: $(call objs,$(EVTCHN_SRCS) $(REPLAY_SRCS) $(SIM_SRCS) $(EVP_CONTROL_SRCS) $(CORE_ALL) $(GUEST_SRCS))
	$(program)
$(BIN)/notify_dom0_2010: $(call objs,examples/notify_dom0_2010.c) $(USER_LIBS)
	@mkdir -p $(@D)
	$(CC) $(CFLAGS) $(LDFLAGS) $(filter %.o,$^) -L$(LIB) -lxenctrl-2010 \
		-lxenevtchn -lxencall -Wl,-rpath,'$$ORIGIN/../lib' $(LDLIBS) -o $@
$(BIN)/introspect: $(call objs,examples/introspect.c) $(USER_LIBS)
	@mkdir -p $(@D)
	$(CC) $(CFLAGS) $(LDFLAGS) $(filter %.o,$^) -L$(LIB) -lxenevtchn \
		-lxengnttab -lxenforeignmemory -Wl,-rpath,'$$ORIGIN/../lib' \
		$(LDLIBS) -o $@
$(BIN)/notify_dom0_bare: $(call objs,examples/notify_dom0_bare.c $(EVP_ALL) $(GUEST_SRCS))
	$(program)
$(BIN)/alice_%: $(call objs,examples/alice_%.c $(EVP_ALL) $(GUEST_SRCS))
	$(program)
$(BIN)/store_%: $(call objs,examples/store_%.c $(EVP_ALL) $(GUEST_SRCS))
	$(program)

# The same programs with sanitizers, for the tests.
$(BUILD)/san/bin/evtchnd: $(call sanobjs,$(EVTCHND_SRCS) $(CORE_ALL))
	$(sanprogram)
$(BUILD)/san/bin/evtchn: $(call sanobjs,$(EVTCHN_SRCS) $(REPLAY_SRCS) $(SIM_SRCS) $(EVP_CONTROL_SRCS) $(CORE_ALL) $(GUEST_SRCS))
	$(sanprogram)
$(BUILD)/san/bin/alice_%: $(call sanobjs,examples/alice_%.c $(EVP_ALL) $(GUEST_SRCS))
	$(sanprogram)

# Tests: tests/sources.mk says what each is linked with.
include tools/evtchn/install.mk user/rules.mk examples/rules.mk tests/rules.mk \
	bench/rules.mk

-include $(shell find $(BUILD)/obj $(BUILD)/san $(BUILD)/pic -name '*.d' 2>/dev/null)
