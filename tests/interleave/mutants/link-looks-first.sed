# MO-LINK: the sender looks at LINKED, then sets PENDING.
# file: core/deliver_fifo.c
# model: fifo-linked-send-again-collect SC
/^static struct evc_posted post_fifo/,/^}/{
	s/^\tif \(!evb_test_and_set_bit\(word, EVTCHN_FIFO_PENDING\)\)/\tuint32_t early = evb_u32_load(word);\n&/
	s/evb_u32_load\(word\) & \(MASKED \| LINKED\)/early \& (MASKED | LINKED)/
}
