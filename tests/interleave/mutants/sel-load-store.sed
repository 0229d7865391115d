# MO-SEL: the selector is taken by a load and a store.
# file: guest/collect_2l.c
# model: 2l-two-words-collect SC
/^static uint64_t take_half/,/^}/s/return .*/uint32_t w = evb_u32_load(half);\n\n\tevb_u32_store(half, 0);\n\treturn w;/
