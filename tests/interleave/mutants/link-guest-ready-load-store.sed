# MO-LINK: the guest takes READY by a load and a store.
# file: guest/collect_fifo.c
# model: gfifo-two-queues-collect SC
s/v->queues.ready \|= evb_u32_xchg\(&control\[READY\], 0\) & ALL_QUEUES;/v->queues.ready |= evb_u32_load(\&control[READY]) \& ALL_QUEUES;\n\tevb_u32_store(\&control[READY], 0);/
