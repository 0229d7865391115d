# MO-LINK: READY is set, then the head is written.
# file: core/deliver_fifo.c
# model: fifo-two-queues-send-collect SC
/^static unsigned int link_locked/,/^}/{
	/evb_u32_store_release\(\(evb_u32 \*\)\(void \*\)&control->head/,/;$/d
	s/^\tif \(evb_test_and_set_bit\(\(evb_u32 \*\)\(void \*\)&control->ready, prio\)\)/\tbool was = evb_test_and_set_bit((evb_u32 *)(void *)\&control->ready, prio);\n\n\tevb_u32_store((evb_u32 *)(void *)\&control->head[prio], ch->port);\n\tif (was)/
}
