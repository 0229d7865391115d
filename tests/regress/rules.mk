# The regression tests, and everything with threads once more under
# ThreadSanitizer, in an object tree of its own.

REGRESS_GUEST := $(wildcard tests/regress/test_regress_guest*.c)
REGRESS_SIM := $(wildcard tests/regress/test_regress_sim*.c)
REGRESS_CORE := $(filter-out $(REGRESS_GUEST) $(REGRESS_SIM),$(wildcard tests/regress/test_*.c))
ifeq ($(FIFO),none)
REGRESS_CORE := $(filter-out tests/regress/test_regress_fifo%,$(REGRESS_CORE))
endif


# What programs with threads test is compiled with shake.h, which see.
shakeobjs = $(patsubst %.c,$(BUILD)/shake/%.o,$(1))
REGRESS_THREADS := $(filter %_threads.c,$(REGRESS_CORE))
REGRESS_GUEST_THREADS := $(filter %_threads.c,$(REGRESS_GUEST))

$(BUILD)/shake/%.o: %.c Makefile
	@mkdir -p $(@D)
	$(CC) $(CFLAGS) $(SANITIZE) $(call flags,$<) -include tests/regress/shake.h -c $< -o $@

$(call bin_of,$(filter-out $(REGRESS_THREADS),$(REGRESS_CORE))): $(BUILD)/test/%: \
		$(BUILD)/san/tests/%.o $(call sanobjs,$(CORE_ALL) tests/lib/fake_host.c)
	$(test_program)

$(call bin_of,$(REGRESS_THREADS)): $(BUILD)/test/%: $(BUILD)/san/tests/%.o \
		$(call shakeobjs,$(CORE_ALL)) $(call sanobjs,tests/lib/fake_host.c)
	$(test_program)

$(call bin_of,$(filter-out $(REGRESS_GUEST_THREADS),$(REGRESS_GUEST))): $(BUILD)/test/%: \
		$(BUILD)/san/tests/%.o $(call sanobjs,$(GUEST_SRCS))
	$(test_program)

$(call bin_of,$(REGRESS_GUEST_THREADS)): $(BUILD)/test/%: $(BUILD)/san/tests/%.o \
		$(call shakeobjs,$(GUEST_SRCS))
	$(test_program)

$(call bin_of,$(REGRESS_SIM)): $(BUILD)/test/%: $(BUILD)/san/tests/%.o \
		$(call sanobjs,$(CORE_ALL) $(GUEST_SRCS) $(SIM_SRCS))
	$(test_program)

# test_regress_memory counts what the core asks the host for, and refuses it.
$(BUILD)/test/regress/test_regress_memory: LDFLAGS += \
	$(patsubst %,-Wl$(comma)--wrap=evc_host_%,bucket map_frame pirq_bind)
comma := ,

# --- ThreadSanitizer -----------------------------------------------------------

TSAN := -fsanitize=thread -DREGRESS_SLOW=4
tsanobjs = $(patsubst %.c,$(BUILD)/tsan/%.o,$(1))
tsan_of = $(patsubst tests/%.c,$(BUILD)/tsan/bin/%,$(1))

TSAN_CORE := $(REGRESS_THREADS) \
	$(patsubst %,tests/unit/test_core_%.c,threads rounds race snapshot)
TSAN_GUEST := $(REGRESS_GUEST_THREADS)

$(BUILD)/tsan/%.o: %.c Makefile
	@mkdir -p $(@D)
	$(CC) $(CFLAGS) $(TSAN) $(call flags,$<) -c $< -o $@

define tsan_program
	@mkdir -p $(@D)
	$(CC) $(CFLAGS) $(TSAN) $(LDFLAGS) $(filter %.o,$^) -lcmocka -pthread $(LDLIBS) -o $@
endef

$(call tsan_of,$(TSAN_CORE)): $(BUILD)/tsan/bin/%: $(BUILD)/tsan/tests/%.o \
		$(call tsanobjs,$(CORE_ALL) tests/lib/fake_host.c)
	$(tsan_program)

$(call tsan_of,$(TSAN_GUEST)): $(BUILD)/tsan/bin/%: $(BUILD)/tsan/tests/%.o \
		$(call tsanobjs,$(GUEST_SRCS))
	$(tsan_program)

REGRESS_PROGRAMS := $(call bin_of,$(REGRESS_CORE) $(REGRESS_GUEST) $(REGRESS_SIM)) \
	$(call tsan_of,$(TSAN_CORE) $(TSAN_GUEST))

$(REGRESS_PROGRAMS): $(FLAVOUR)
tests: $(REGRESS_PROGRAMS)
.PRECIOUS: $(BUILD)/tsan/%.o $(BUILD)/shake/%.o

-include $(shell find $(BUILD)/tsan $(BUILD)/shake -name '*.d' 2>/dev/null)
