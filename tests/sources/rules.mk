# Event sources of the process host; run.sh also runs the commands and examples.

SOURCES_TESTS := $(wildcard tests/sources/test_*.c)

$(call bin_of,$(SOURCES_TESTS)): $(BUILD)/test/%: $(BUILD)/san/tests/%.o \
		$(call sanobjs,$(EVP_ALL) $(GUEST_SRCS))
	$(test_program)

tests: $(call bin_of,$(SOURCES_TESTS)) $(BUILD)/san/bin/timer \
	$(BUILD)/san/bin/pirq_uart
