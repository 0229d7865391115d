# MO-LANE: the receiver takes the word, then what said that there is something.
# file: tests/interleave/models_port_lane.c
# model: port-lane-send-receive SC
/^static void take_all/,/^}/{
	s/^\tif \(evp_lane_take_selector.*/\tuint64_t word = evp_port_take_word(\&world.ports, 0);\n\n\tlook(0, word);/
	s/^\t\ttake_slots\((.*)\);/\tif (evp_lane_take_selector(\&LANE))\n\t\t(void)\1;/
}
