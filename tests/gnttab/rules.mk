# Grants: the process host's, and libxengnttab's tests.

GNTTAB_TESTS := $(wildcard tests/gnttab/test_*.c)

$(call bin_of,$(GNTTAB_TESTS)): $(BUILD)/test/%: $(BUILD)/san/tests/%.o \
		$(call sanobjs,$(USER_GNTTAB_SRCS) $(EVP_ALL) $(GUEST_SRCS))
	$(test_program)

# Memory is to come to a place of the test's choice.
$(BUILD)/test/gnttab/test_grants: LDFLAGS += -Wl,--wrap=mmap

tests: $(call bin_of,$(GNTTAB_TESTS))
