# The libraries programs link with instead of Xen's.  With what is here go
# EVP_ALL and GUEST_SRCS.
USER_SRCS := user/xenevtchn.c user/device.c user/process.c user/wait.c \
	user/inherit.c
USER_2010_SRCS := user/libxc_2010.c
USER_GNTTAB_SRCS := user/xengnttab.c

# One real file each; the other two names are links to it.
USER_LIBS = $(LIB)/libxenevtchn.so $(LIB)/libxenctrl-2010.so \
	$(LIB)/libxengnttab.so
