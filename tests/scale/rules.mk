# Without sanitizers: a thousand processes have to fit.
SCALE := $(addprefix $(BUILD)/test/scale/,scale halves wide)

$(SCALE): $(BUILD)/test/%: $(BUILD)/obj/tests/%.o $(call objs,$(EVP_ALL) $(GUEST_SRCS))
	@mkdir -p $(@D)
	$(CC) $(CFLAGS) $(LDFLAGS) $^ -lcmocka -pthread $(LDLIBS) -o $@
$(BUILD)/test/scale/wide: $(call objs,$(USER_SRCS))
tests: $(SCALE)
