# MO-UPCALL: the sender sets the flag, then the selector.
# file: core/deliver_2l.c
# model: 2l-send-collect SC
/^static inline unsigned int select_port/,/^}/{
	s/^\tif \(evb_test_and_set_bit/\t(void)evb_u8_xchg((evb_u8 *)(void *)info, 1);\n&/
	s/return due;/return due \& ~2u;/
}
