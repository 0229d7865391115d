# MO-MASK: the hypercall clears the mask with a plain store.
# file: core/deliver_2l.c
# model: 2l-send-hyper-unmask TSO
# not: 2l-send-hyper-unmask SC
s/!evb_test_and_clear_bit\(w->mask, port\)/!(evb_test_bit(w->mask, port) \&\& (evb_u32_store_relaxed(\&w->mask[port >> 5], evb_u32_load(\&w->mask[port >> 5]) \& ~(1u << (port \& 31))), 1))/
