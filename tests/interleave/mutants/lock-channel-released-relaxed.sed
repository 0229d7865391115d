# core/locking.h: giving a channel back orders nothing.
# file: core/locking.h
# with: core/virq.c
# model: virq-rebind SC
/^static inline void unlock_channel/,/^}/s/evb_unlock\(&ch->lock\);/evb_u32_store_relaxed(\&ch->lock.held, 0);/
