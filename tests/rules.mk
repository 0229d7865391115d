# How tests are built: with sanitizers, linked with cmocka.

bin_of = $(patsubst tests/%.c,$(BUILD)/test/%,$(1))

TESTS_ALL := $(call bin_of,$(TESTS_CORE) $(TESTS_GUEST) $(TESTS_SIM) $(TESTS_BOTH) $(TESTS_PROCESS))

$(TESTS_ALL): $(FLAVOUR)

.PHONY: tests
tests: $(TESTS_ALL) $(BUILD)/san/bin/evtchn $(BUILD)/san/bin/evtchnd \
	$(BUILD)/san/bin/alice_domU $(BUILD)/san/bin/alice_dom0

define test_program
	@mkdir -p $(@D)
	$(CC) $(CFLAGS) $(SANITIZE) $(LDFLAGS) $(filter %.o,$^) -lcmocka -pthread $(LDLIBS) -o $@
endef

$(call bin_of,$(TESTS_CORE)): $(BUILD)/test/%: $(BUILD)/san/tests/%.o \
		$(call sanobjs,$(CORE_ALL) tests/lib/fake_host.c)
	$(test_program)

$(call bin_of,$(TESTS_BOTH)): $(BUILD)/test/%: $(BUILD)/san/tests/%.o \
		$(call sanobjs,$(CORE_ALL) $(GUEST_SRCS) tests/lib/fake_host.c)
	$(test_program)

$(call bin_of,$(TESTS_SIM)): $(BUILD)/test/%: $(BUILD)/san/tests/%.o \
		$(call sanobjs,$(CORE_ALL) $(GUEST_SRCS) $(SIM_SRCS))
	$(test_program)

$(call bin_of,$(TESTS_GUEST)): $(BUILD)/test/%: $(BUILD)/san/tests/%.o \
		$(call sanobjs,$(GUEST_SRCS))
	$(test_program)

$(call bin_of,$(TESTS_PROCESS)): $(BUILD)/test/%: $(BUILD)/san/tests/%.o \
		$(call sanobjs,$(EVP_ALL) $(GUEST_SRCS))
	$(test_program)

# test_sim_send_path listens at the stations of docs/path-of-a-send.md.
STATIONS := evg_notify evg_plat_hypercall evc_hypercall evc_send \
	evc_upcall_raise evc_host_kick evg_upcall evg_deliver
$(BUILD)/test/unit/test_sim_send_path: LDFLAGS += $(STATIONS:%=-Wl,--wrap=%)

# A folder with programs of another kind has its own rules.
include $(wildcard tests/*/rules.mk)
