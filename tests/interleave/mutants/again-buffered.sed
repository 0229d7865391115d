# MO-AGAIN: the handler's end is a plain store.
# file: guest/bind.c
# model: guest-deliver-move-send-collect TSO
/^static void stop_running/,/^}/s/evb_u32_store\(&e->running, 0\);/evb_u32_store_relaxed(\&e->running, 0);/
