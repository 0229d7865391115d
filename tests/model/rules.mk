# The core against a reference model: tests/model/main.c says what is done.
MODEL_SRCS := $(wildcard tests/model/*.c)
MODEL := $(BUILD)/test/model/model

tests: $(MODEL) $(BUILD)/test/model/plain.o $(BUILD)/test/model/core.list

$(MODEL) $(BUILD)/test/model/core.list: $(FLAVOUR)

$(MODEL): $(call sanobjs,$(MODEL_SRCS) $(CORE_ALL))
	@mkdir -p $(@D)
	$(CC) $(CFLAGS) $(SANITIZE) $(LDFLAGS) $(filter %.o,$^) $(LDLIBS) -o $@

# Everything but the core, for linking with a core that has a mistake in it.
$(BUILD)/test/model/plain.o: $(call objs,$(MODEL_SRCS))
	$(relocatable)

# What such a core consists of.
$(BUILD)/test/model/core.list: $(call objs,$(CORE_ALL))
	@mkdir -p $(@D)
	@echo $(CORE_ALL) >$@
