# The guest library, for anyone who builds it in his own tree.
GUEST_SRCS := \
	guest/bind.c \
	guest/collect_2l.c \
	guest/collect_fifo.c \
	guest/fifo.c \
	guest/hypercalls.c \
	guest/init.c \
	guest/irq.c \
	guest/upcall.c
