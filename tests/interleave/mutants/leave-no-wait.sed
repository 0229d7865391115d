# Leaving FIFO: a static port's event is carried back without its senders' lock.
# file: core/fifo.c
# model: fifo-leave-static-send SC
/^static void carry_back/,/^}/s/ch->state == EVC_ST_INTERDOMAIN \? ch->u.peer : NULL/NULL/
