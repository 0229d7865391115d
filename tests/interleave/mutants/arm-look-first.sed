# MO-ARM: the receiver looks, then arms.
# file: tests/interleave/lane_model.h
# with: tests/interleave/models_lane.c
# model: lane-send-receive SC
/^static void receive/,/^}/{
	/^\tevp_lane_arm/d
	s/^\t\tevb_u32_store_relaxed\(&R->asleep/\t\tevp_lane_arm(\&LANE);\n&/
}
