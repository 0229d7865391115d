# limit.c: an event is held back without a place in the list.
# file: core/limit.c
# model: limit-held-send-refill-refill SC
/^static void send_held/,/^}/s/^\tch->held = EVC_HELD_NOT;/\tch->held = EVC_HELD_LISTED;/
