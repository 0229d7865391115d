# MO-LANE: the broker raises the slot, then sets the port's bit.
# file: hosts/process/port_lane.c
# model: port-lane-send-receive SC
/^enum evp_sent evp_port_send/,/^}/s/^\tif \(evb_u64_or\(&l->port/\t(void)evp_lane_send(\&l->lane, bell, EVP_SLOT_PORTS + word);\n&/
/^enum evp_sent evp_port_send/,/^}/s/^\treturn evp_lane_send.*/\treturn EVP_SET;/
