# MO-LANE: the sender sets the selector, then pending.
# file: hosts/process/lane.c
# model: lane-send-receive SC
/^enum evp_sent evp_lane_send/,/^}/s/^\tif \(evb_u64_or\(&p->pending/\t(void)evb_u64_or(\&p->selector, 1ull << word);\n&/
/^enum evp_sent evp_lane_send/,/^}/s/^\tif \(evb_u64_or\(&p->selector.*/\tif (0)/
