# MO-ARM: arming is a plain store.
# file: hosts/process/lane.c
# model: lane-send-receive TSO
# not: lane-send-receive SC
/^void evp_lane_arm/,/^}/{
	/^\tevb_fence\(\);/d
	s/evb_u32_store\(/evb_u32_store_relaxed(/
}
