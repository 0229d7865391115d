# Shared libraries: position-independent objects in a tree of their own, and a
# version script that says what is seen from outside.

picobjs = $(patsubst %.c,$(BUILD)/pic/%.o,$(1))

$(BUILD)/pic/%.o: %.c Makefile
	@mkdir -p $(@D)
	$(CC) $(CFLAGS) -fPIC -fvisibility=hidden $(call flags,$<) -c $< -o $@
.PRECIOUS: $(BUILD)/pic/%.o

# $(1) the file, $(2) its soname
define shared
	@mkdir -p $(@D)
	$(CC) -shared $(CFLAGS) $(LDFLAGS) -Wl,-soname,$(2) -Wl,-z,defs -Wl,-z,now \
		-Wl,-rpath,'$$ORIGIN' -Wl,--version-script=$(filter %.map,$^) $(filter %.o %.so,$^) \
		$(LDLIBS) -pthread -o $(LIB)/$(1)
	@ln -sf $(1) $(LIB)/$(2)
	@ln -sf $(2) $@
endef

$(LIB)/libxenevtchn.so: $(call picobjs,$(USER_SRCS) $(EVP_ALL) $(GUEST_SRCS)) \
		user/libxenevtchn.map
	$(call shared,libxenevtchn.so.1.2,libxenevtchn.so.1)

$(LIB)/libxenctrl-2010.so: $(call picobjs,$(USER_2010_SRCS) $(USER_2010_CTL_SRCS)) \
		$(LIB)/libxenevtchn.so $(LIB)/libxencall.so user/libxenctrl-2010.map
	$(call shared,libxenctrl-2010.so.1.0,libxenctrl-2010.so.1)

# Of the process host, only what is needed without being a guest.
GRANT_SRCS := $(EVP_CONTROL_SRCS) hosts/process/thread.c \
	$(filter hosts/process/grant%.c,$(EVP_SRCS))
$(LIB)/libxengnttab.so: $(call picobjs,$(USER_GNTTAB_SRCS) $(GRANT_SRCS)) \
		user/libxengnttab.map
	$(call shared,libxengnttab.so.1.2,libxengnttab.so.1)

$(LIB)/libxenforeignmemory.so: $(call picobjs,$(USER_FOREIGN_SRCS) $(GRANT_SRCS)) \
		user/libxenforeignmemory.map
	$(call shared,libxenforeignmemory.so.1.4,libxenforeignmemory.so.1)

$(LIB)/libxencall.so: $(call picobjs,$(XENCALL_SRCS) $(EVP_CONTROL_SRCS)) \
		user/libxencall.map
	$(call shared,libxencall.so.1.3,libxencall.so.1)

# Preloaded, so it has one name.
$(LIB)/libevtchn-paths.so: $(call picobjs,$(XENPATHS_SRCS)) \
		user/libevtchn-paths.map
	@mkdir -p $(@D)
	$(CC) -shared $(CFLAGS) $(LDFLAGS) -Wl,-z,defs -Wl,-z,now \
		-Wl,--version-script=$(filter %.map,$^) $(filter %.o,$^) \
		$(LDLIBS) -o $@

# In a folder of their own, so that installing changes nothing for programs
# that use Xen's libraries.
USER_DIR := $(PREFIX)/lib/evtchn

define install_user
	install -d "$(DESTDIR)$(USER_DIR)/pkgconfig" && \
	cp -P $(USER_LIBS:.so=.so*) "$(DESTDIR)$(USER_DIR)" && \
	for h in user/include/*.h; do \
		install -D -m 644 "$$h" "$(DESTDIR)$(PREFIX)/include/evtchn/$${h##*/}" \
			|| exit 1; \
	done && \
	for pc in xenevtchn xenctrl-2010 xengnttab xenforeignmemory xencall; do \
		sed 's,@PREFIX@,$(PREFIX),' user/$$pc.pc.in \
			>"$(DESTDIR)$(USER_DIR)/pkgconfig/$$pc.pc" || exit 1; \
	done
endef
