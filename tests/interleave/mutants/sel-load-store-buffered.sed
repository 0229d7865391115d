# MO-SEL: the same, and the store may come after the reading of pending bits.
# file: guest/collect_2l.c
# model: 2l-pending-two-ports-collect TSO
# not: 2l-pending-two-ports-collect SC
/^static uint64_t take_half/,/^}/s/return .*/uint32_t w = evb_u32_load(half);\n\n\tif (w)\n\t\tevb_u32_store_relaxed(half, 0);\n\treturn w;/
