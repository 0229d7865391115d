# MO-LANE: the receiver takes the selector by a load and a store.
# file: hosts/process/lane.c
# model: lane-send-send-words SC
s/return evb_u64_xchg\(&p->selector, 0\);/uint64_t w = evb_u64_load(\&p->selector);\n\n\tevb_u64_store_relaxed(\&p->selector, 0);\n\treturn w;/
