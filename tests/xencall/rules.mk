# libxencall's own tests, linked with its parts; run.sh runs the library.

XENCALL_TESTS := $(wildcard tests/xencall/test_*.c)

$(call bin_of,$(XENCALL_TESTS)): $(BUILD)/test/%: $(BUILD)/san/tests/%.o \
		$(call sanobjs,$(XENCALL_SRCS) $(EVP_ALL) $(GUEST_SRCS))
	$(test_program)

# The calls of 2010, on both libraries.
$(BUILD)/test/xencall/test_2010: $(call sanobjs,$(USER_SRCS) $(USER_2010_SRCS) $(USER_2010_CTL_SRCS))

# A test may say what the broker would.
$(BUILD)/test/xencall/test_calls: LDFLAGS += -Wl,--wrap=evp_session_dominfo

tests: $(call bin_of,$(XENCALL_TESTS))
