# Fuzz targets (README.md).  `make fuzz` has them built by clang in a tree of
# their own, $(BUILD)/fuzz, with libFuzzer as ENGINE; elsewhere they are linked
# with replay_main.c and run files only.
ENGINE ?= files
FUZZ_TARGETS := hypercall shared broker guest trace \
	$(if $(wildcard core/snapshot.c),snapshot)

FUZZ_CORE := $(CORE_SRCS) $(CORE_FIFO_SRCS)
FUZZ_LOOK := $(addprefix tests/fuzz/,check.c world_look.c)
FUZZ_WORLD := $(FUZZ_LOOK) $(addprefix tests/fuzz/,tape.c world.c world_hooks.c ops.c)

# They compare; nothing in them is under test, and they run after every call.
$(call sanobjs,$(FUZZ_LOOK)): override SANITIZE := -O2
# What they do is not what the fuzzer should look for.
$(call sanobjs,$(addprefix tests/fuzz/,world.c world_hooks.c)): \
	override SANITIZE := $(filter-out %fuzzer-no-link,$(SANITIZE)) -O2

stepobjs = $(patsubst %.c,$(BUILD)/san/step/%.o,$(1))

FUZZ_OBJS_hypercall := $(call sanobjs,$(FUZZ_WORLD) $(FUZZ_CORE))
FUZZ_OBJS_shared := $(call sanobjs,$(FUZZ_WORLD)) $(call stepobjs,$(FUZZ_CORE))
# fuzz_broker.c includes loop.c, and there is no main but its own.
FUZZ_OBJS_broker := $(call sanobjs,tests/fuzz/tape.c tests/fuzz/check.c \
	$(filter-out %/loop.c %/evtchnd.c %/bury.c,$(EVTCHND_SRCS)) $(FUZZ_CORE))
FUZZ_OBJS_guest := $(call sanobjs,tests/fuzz/tape.c) $(call stepobjs,$(GUEST_SRCS))
FUZZ_OBJS_trace := $(call sanobjs,$(filter-out %/replay.c,$(REPLAY_SRCS)) \
	$(SIM_SRCS) $(FUZZ_CORE) $(GUEST_SRCS))
FUZZ_OBJS_snapshot := $(call sanobjs,$(FUZZ_WORLD) $(FUZZ_CORE))

FUZZ_PROGRAMS := $(FUZZ_TARGETS:%=$(BUILD)/fuzz/%)
FUZZ_LINK := $(if $(filter libfuzzer,$(ENGINE)),-fsanitize=fuzzer)
FUZZ_MAIN := $(if $(filter files,$(ENGINE)),$(call sanobjs,tests/fuzz/replay_main.c))

.PHONY: fuzz fuzz-programs
fuzz: ## fuzz each target for TIME=60 seconds, or only TARGET=name; corpus in tests/fuzz
	@tests/fuzz/run.sh --fuzz "$(or $(TIME),60)" $(BUILD) $(TARGET)

fuzz-programs: $(FUZZ_PROGRAMS)

# Every atomic operation of these comes by fuzz_step().
$(BUILD)/san/step/%.o: %.c Makefile tests/fuzz/step.h
	@mkdir -p $(@D)
	$(CC) $(CFLAGS) $(SANITIZE) $(call flags,$<) -include tests/fuzz/step.h -c $< -o $@

define fuzz_program
$(BUILD)/fuzz/$(1): $$(call sanobjs,tests/fuzz/fuzz_$(1).c) $$(FUZZ_OBJS_$(1)) $$(FUZZ_MAIN)
	@mkdir -p $$(@D)
	$$(CC) $$(CFLAGS) $$(SANITIZE) $$(FUZZ_LINK) $$(LDFLAGS) $$(filter %.o,$$^) $$(LDLIBS) -o $$@
endef
$(foreach t,$(FUZZ_TARGETS),$(eval $(call fuzz_program,$(t))))
