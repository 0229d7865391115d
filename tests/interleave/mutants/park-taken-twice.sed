# MO-PARK: the mark is read, not taken.
# file: core/deliver_fifo.c
# model: fifo-expand-send-collect SC
/^static evb_u32 \*park/,/^}/s/evb_u8_xchg\(&ch->parked, 0\)/evb_u8_load(\&ch->parked)/
