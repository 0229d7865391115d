# The threads of one guest once more under ThreadSanitizer (tsan.sh).  How its
# objects are compiled is in tests/regress/rules.mk.

TSAN_VCPUS := $(BUILD)/tsan/bin/process/test_vcpus

$(TSAN_VCPUS): $(patsubst %.c,$(BUILD)/tsan/%.o,tests/process/test_vcpus.c $(EVP_ALL) $(GUEST_SRCS))
	$(tsan_program)

# The fence there is between processes: not what this is about.
$(BUILD)/tsan/hosts/process/lane.o: TSAN += $(if $(findstring clang,$(CC)),,-Wno-tsan)

tests: $(TSAN_VCPUS)

# With every guest switched over as it attaches (fifo.sh).
AS_FIFO := $(patsubst %,$(BUILD)/test/fifo/test_%,async events takeover vcpus)
TSAN_FIFO := $(BUILD)/tsan/bin/process/fifo_vcpus

$(AS_FIFO) $(TSAN_FIFO): LDFLAGS += -Wl,--wrap=evp_attach,--wrap=evp_take_over
$(AS_FIFO): $(BUILD)/test/fifo/%: $(BUILD)/san/tests/process/%.o \
		$(call sanobjs,$(EVP_ALL) $(GUEST_SRCS) tests/lib/fifo_from_start.c)
	$(test_program)
$(TSAN_FIFO): $(patsubst %.c,$(BUILD)/tsan/%.o,tests/process/test_vcpus.c $(EVP_ALL) $(GUEST_SRCS) tests/lib/fifo_from_start.c)
	$(tsan_program)
$(BUILD)/tsan/bin/process/test_fifo: $(patsubst %.c,$(BUILD)/tsan/%.o,tests/process/test_fifo.c $(EVP_ALL) $(GUEST_SRCS))
	$(tsan_program)

tests: $(AS_FIFO) $(TSAN_FIFO) $(BUILD)/tsan/bin/process/test_fifo

# Watches and timers that cannot be had.
$(BUILD)/test/process/test_deaf: LDFLAGS += -Wl,--wrap=evp_bell_hear,--wrap=timerfd_create

# A clock that can be stopped.
$(BUILD)/test/process/test_storm: LDFLAGS += -Wl,--wrap=clock_gettime

# A broker that fails when it is told to (test_scarce).
SCARCE := $(BUILD)/san/bin/evtchnd_scarce

$(SCARCE): LDLIBS += -pthread
$(SCARCE): LDFLAGS += -Wl,--wrap=evp_lane_create,--wrap=evd_offer
$(SCARCE): $(call sanobjs,$(EVTCHND_SRCS) $(CORE_ALL) tests/lib/scarce_broker.c)
	$(sanprogram)

tests: $(SCARCE)
