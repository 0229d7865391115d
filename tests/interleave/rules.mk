# The schedule explorer.  The code it explores is compiled once more: with
# this folder's base/atomic.h, and reporting plain accesses (races.c).
IL := $(BUILD)/interleave

IL_FLAGS := -std=c11 $(WARN) -D_GNU_SOURCE -Itests/interleave/include $(INC_host) -I.
# Not linked with the sanitizer: races.c has the functions it would call.
IL_REPORT := -fsanitize=thread

IL_EXPLORER := $(addprefix tests/interleave/,explore.c machine.c races.c)
IL_TRUSTED := $(IL_EXPLORER) $(addprefix tests/interleave/,main.c litmus_main.c world.c)
IL_LITMUS := $(IL_EXPLORER) $(addprefix tests/interleave/,litmus_main.c litmus.c litmus_lock.c)
IL_MODELS := $(IL_EXPLORER) $(wildcard tests/interleave/models_*.c) \
	$(addprefix tests/interleave/,main.c world.c fifo_reader.c) \
	$(CORE_SRCS) $(CORE_FIFO_SRCS) hosts/process/lane.c hosts/process/port_lane.c \
	$(filter-out guest/irq.c,$(GUEST_SRCS))

il_objs = $(patsubst %.c,$(IL)/obj/%.o,$(1))

$(IL)/obj/%.o: %.c Makefile tests/interleave/rules.mk
	@mkdir -p $(@D)
	$(CC) -O2 -g $(if $(filter $<,$(IL_TRUSTED)),,$(IL_REPORT)) $(IL_FLAGS) -MMD -MP -c $< -o $@

$(IL)/litmus: $(call il_objs,$(IL_LITMUS))
$(IL)/models: $(call il_objs,$(IL_MODELS))
$(IL)/litmus $(IL)/models:
	$(CC) $^ -o $@
	@echo $^ >$@.objs

# For run.sh, which compiles changed copies: a compiler with our flags.
$(IL)/cc: Makefile tests/interleave/rules.mk
	@mkdir -p $(@D)
	@printf '#!/bin/sh\nexec %s -O1 -g -w $$REPORT %s "$$@"\n' '$(CC)' '$(IL_FLAGS)' >$@
	@chmod +x $@

tests: $(IL)/litmus $(IL)/models $(IL)/cc

-include $(shell find $(IL)/obj -name '*.d' 2>/dev/null)
