# MO-LINK: the sender links behind the tail by a load and a store.
# file: core/deliver_fifo.c
# model: fifo-linked-send-collect SC
/^static bool set_link/,/^}/s/^\tw = evb_u32_add\(tail, port\);/\tw = evb_u32_load(tail);\n\tevb_u32_store(tail, w + port);/
