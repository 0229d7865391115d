# The test of a core without FIFO event channels: make FIFO=none
ifeq ($(FIFO),none)
NONE := $(call bin_of,tests/none/test_none.c)
$(NONE): $(BUILD)/test/%: $(BUILD)/san/tests/%.o \
		$(call sanobjs,$(CORE_ALL) tests/lib/fake_host.c)
	$(test_program)
$(NONE): $(FLAVOUR)
tests: $(NONE)
endif
