# The libraries programs link with instead of Xen's.  With what is here go
# EVP_ALL and GUEST_SRCS.
USER_SRCS := user/xenevtchn.c user/device.c user/process.c user/wait.c \
	user/inherit.c user/common.c
XENCALL_SRCS := user/xencall.c user/call_ops.c user/call_ctl.c \
	user/call_memory.c user/common.c
XENPATHS_SRCS := user/paths.c
USER_2010_SRCS := user/libxc_2010.c user/fd_table.c
USER_2010_CTL_SRCS := user/libxc_2010_ctl.c
USER_GNTTAB_SRCS := user/xengnttab.c
USER_FOREIGN_SRCS := user/xenforeignmemory.c

# One real file each; the other two names are links to it.
USER_LIBS = $(LIB)/libxenevtchn.so $(LIB)/libxenctrl-2010.so \
	$(LIB)/libxengnttab.so $(LIB)/libxencall.so \
	$(LIB)/libxenforeignmemory.so \
	$(LIB)/libevtchn-paths.so
