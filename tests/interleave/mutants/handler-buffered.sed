# MO-HANDLER: unbinding clears bound with a plain store.
# file: guest/bind.c
# model: guest-unbind-while-handled TSO
# not: guest-unbind-while-handled SC
/^int evg_unbind_handler/,/^}/s/evb_u32_store\(&e->bound, 0\);/evb_u32_store_relaxed(\&e->bound, 0);/
