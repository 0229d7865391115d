$(BUILD)/bench/core: $(call objs,bench/core.c hosts/template/evc_host.c $(CORE_ALL))
	$(program)
$(BUILD)/bench/notify: $(call objs,bench/notify.c $(EVP_ALL) $(GUEST_SRCS))
	$(program)
