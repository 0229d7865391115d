# The core, counting its locked operations.
LOCKED_OBJS := $(patsubst %.c,$(BUILD)/locked/%.o,$(CORE_ALL))

$(LOCKED_OBJS): $(BUILD)/locked/%.o: %.c Makefile tests/locked/count_locked.h
	@mkdir -p $(@D)
	$(CC) $(CFLAGS) $(call flags,$<) -include tests/locked/count_locked.h -c $< -o $@

$(BUILD)/test/locked/test_locked: $(BUILD)/san/tests/locked/test_locked.o \
		$(LOCKED_OBJS) $(call sanobjs,tests/lib/fake_host.c)
	$(test_program)

ifneq ($(FIFO),none)
tests: $(BUILD)/test/locked/test_locked
endif
