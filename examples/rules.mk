# Examples with other sources than their own, or another library.

$(BIN)/timer $(BIN)/pirq_uart: $(BIN)/%: $(BUILD)/obj/examples/%.o \
		$(call objs,$(EVP_ALL) $(GUEST_SRCS))
	$(program)

$(BUILD)/san/bin/timer $(BUILD)/san/bin/pirq_uart: \
		$(BUILD)/san/bin/%: $(BUILD)/san/examples/%.o \
		$(call sanobjs,$(EVP_ALL) $(GUEST_SRCS))
	$(sanprogram)
