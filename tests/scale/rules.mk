# Without sanitizers: a thousand processes have to fit.
$(BUILD)/test/scale/scale: $(call objs,tests/scale/scale.c $(EVP_ALL) $(GUEST_SRCS))
	@mkdir -p $(@D)
	$(CC) $(CFLAGS) $(LDFLAGS) $^ -lcmocka -pthread $(LDLIBS) -o $@
tests: $(BUILD)/test/scale/scale
