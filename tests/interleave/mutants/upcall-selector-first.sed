# MO-UPCALL: the guest takes the selector, then clears the flag.
# file: guest/upcall.c
# model: 2l-two-words-collect SC
s/return evb_u8_xchg\(flag_of\(v\), 0\);/return true;/
s/^\t\tcollect->begin\(v\);/&\n\t\t(void)evb_u8_xchg(flag_of(v), 0);/
