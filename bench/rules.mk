$(BUILD)/bench/core: $(call objs,bench/core.c bench/machine.c hosts/template/evc_host.c $(CORE_ALL))
	@mkdir -p $(@D)
	$(CC) $(CFLAGS) $(LDFLAGS) $^ -pthread -Wl,--wrap=evc_host_map_frame $(LDLIBS) -o $@
$(BUILD)/bench/notify: $(call objs,bench/notify.c bench/transports.c $(EVP_ALL) $(GUEST_SRCS))
	$(program)
$(BUILD)/bench/collect: $(call objs,bench/collect.c $(GUEST_SRCS))
	$(program)
$(BUILD)/bench/memory: $(call objs,bench/memory.c $(EVP_ALL) $(GUEST_SRCS))
	$(program)
$(BUILD)/bench/upcall: $(call objs,bench/upcall.c $(EVP_ALL) $(GUEST_SRCS))
	$(program)
# Not only for us: `evtchn bench` runs it.
$(BIN)/evtchn-bench: $(call objs,bench/quick.c bench/transports.c $(EVP_ALL) $(GUEST_SRCS))
	$(program)
