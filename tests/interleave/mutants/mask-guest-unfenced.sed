# MO-MASK: the guest clears the mask with a plain store.
# file: guest/collect_2l.c
# model: 2l-send-unmask TSO
# not: 2l-send-unmask SC
s/\(void\)evb_test_and_clear_bit\(g->mask, port\);/evb_u32_store_relaxed(\&g->mask[port >> 5], evb_u32_load(\&g->mask[port >> 5]) \& ~(1u << (port \& 31)));/
