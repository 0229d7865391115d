# MO-UPCALL: clearing the flag is a plain store.
# file: guest/upcall.c
# model: 2l-two-words-three-events TSO
# not: 2l-two-words-three-events SC
s/return evb_u8_xchg\(flag_of\(v\), 0\);/evb_u8_store_relaxed(flag_of(v), 0);\n\treturn true;/
