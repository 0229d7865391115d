# MO-BLOCK: the mark is read, and not taken: both ring.
# file: hosts/process/doze.h
# with: tests/interleave/models_doze.c
# model: doze-post-post SC
/^static inline enum evp_asleep evp_take_mark/,/^}/s/evb_u32_xchg\(mark, EVP_AWAKE\)/evb_u32_load(mark)/
