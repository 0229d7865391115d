# MO-BLOCK: lying down is a plain store.
# file: hosts/process/doze.h
# with: tests/interleave/models_doze.c
# model: doze-post TSO
# not: doze-post SC
/^static inline void evp_lie_down/,/^}/s/\(void\)evb_u32_xchg\(/evb_u32_store_relaxed(/
