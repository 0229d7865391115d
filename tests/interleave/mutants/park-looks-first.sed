# MO-PARK: the sender looks for the page, then marks the channel.
# file: core/deliver_fifo.c
# model: fifo-expand-send SC
/^static evb_u32 \*park/,/^}/{
	s/^\t\(void\)evb_u8_xchg\(&ch->parked, 1\);/\tword = word_of(d, ch->port);\n&/
	/^\tword = word_of\(d, ch->port\);$/d
}
