# libxenevtchn's own tests, linked with its parts; run.sh runs the library.

USER_TESTS := $(wildcard tests/user/test_*.c)

$(call bin_of,$(USER_TESTS)): $(BUILD)/test/%: $(BUILD)/san/tests/%.o \
		$(call sanobjs,$(USER_SRCS) $(USER_2010_SRCS) $(EVP_ALL) $(GUEST_SRCS))
	$(test_program)

# The device is played by the test.
$(BUILD)/test/user/test_device: LDFLAGS += -Wl,--wrap=ioctl -Wl,--wrap=read \
	-Wl,--wrap=write

tests: $(call bin_of,$(USER_TESTS))
