# MO-AGAIN: a vCPU that finds the handler running leaves no word.
# file: guest/bind.c
# model: guest-deliver-move-send-collect SC
/^static bool start_running/,/^}/s/evb_u32_store\(&e->again, 1\);/;/
