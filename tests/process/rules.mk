# The threads of one guest once more under ThreadSanitizer (tsan.sh).  How its
# objects are compiled is in tests/regress/rules.mk.

TSAN_VCPUS := $(BUILD)/tsan/bin/process/test_vcpus

$(TSAN_VCPUS): $(patsubst %.c,$(BUILD)/tsan/%.o,tests/process/test_vcpus.c $(EVP_ALL) $(GUEST_SRCS))
	$(tsan_program)

# The fence there is between processes: not what this is about.
$(BUILD)/tsan/hosts/process/lane.o: TSAN += $(if $(findstring clang,$(CC)),,-Wno-tsan)

tests: $(TSAN_VCPUS)
