# Deaths: what is told, what is left, who comes back.  Tests with sanitizers as
# those in tests/process; what measures is built as users build.

FAULTS_TESTS := $(wildcard tests/faults/test_*.c)
FAULTS_PLAIN := $(BUILD)/test/faults/latency

$(call bin_of,$(FAULTS_TESTS)): $(BUILD)/test/%: $(BUILD)/san/tests/%.o \
		$(call sanobjs,$(EVP_ALL) $(GUEST_SRCS))
	$(test_program)

$(BUILD)/test/faults/test_dropin $(BUILD)/test/faults/test_part: $(call sanobjs,$(USER_SRCS))
$(BUILD)/test/faults/test_resume: $(call sanobjs,$(XENCALL_SRCS))

$(FAULTS_PLAIN): $(BUILD)/test/%: $(BUILD)/obj/tests/%.o \
		$(LIB)/libevp.a $(LIB)/libevg.a
	$(program)

# With sanitizers, but not of cmocka's kind.
FAULTS_STORM := $(BUILD)/test/faults/storm
$(FAULTS_STORM): $(BUILD)/test/%: $(BUILD)/san/tests/%.o \
		$(call sanobjs,$(EVP_ALL) $(GUEST_SRCS))
	$(sanprogram)

tests: $(FAULTS_STORM) $(call bin_of,$(FAULTS_TESTS)) $(FAULTS_PLAIN)
