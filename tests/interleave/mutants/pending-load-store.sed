# MO-PENDING: the bit is set by a load and a store.
# file: core/deliver_2l.c
# model: 2l-two-ports-collect SC
s/evb_test_and_set_bit\(w->pending, port\)/(evb_test_bit(w->pending, port) || (evb_u32_store(\&w->pending[port >> 5], evb_u32_load(\&w->pending[port >> 5]) | 1u << (port \& 31)), 0))/
