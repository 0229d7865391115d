# MO-LINK: the guest reads LINK, then clears LINKED.
# file: guest/collect_fifo.c
# model: gfifo-linked-send-collect SC
/^static bool take_out/,/^}/s/^\t\tif \(evb_u32_cas\(word, w, .*/\t\t(void)evb_u32_and(word, ~(LINKED | LINK_MASK));\n\t\tif (1)/
