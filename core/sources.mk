# The core, for anyone who builds it in his own tree.  Exactly one of the two
# CORE_FIFO lists is linked.
CORE_SRCS := \
	core/channel.c \
	core/consumer.c \
	core/deliver_2l.c \
	core/domain.c \
	core/hypercall.c \
	core/limit.c \
	core/pirq.c \
	core/poll.c \
	core/port_table.c \
	core/restore.c \
	core/send.c \
	core/snapshot.c \
	core/static.c \
	core/stats.c \
	core/upcall.c \
	core/virq.c

CORE_FIFO_SRCS := \
	core/deliver_fifo.c \
	core/fifo.c \
	core/fifo_image.c

CORE_FIFO_NONE_SRCS := core/fifo_none.c
