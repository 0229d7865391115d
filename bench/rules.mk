$(BUILD)/bench/core: $(call objs,bench/core.c bench/machine.c $(CORE_ALL))
	$(CC) $(CFLAGS) $(LDFLAGS) $^ -pthread $(LDLIBS) -o $@
$(BUILD)/bench/notify: $(call objs,bench/notify.c $(EVP_ALL) $(GUEST_SRCS))
	$(program)
