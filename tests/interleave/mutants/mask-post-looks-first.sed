# MO-MASK: the sender looks at the mask, then sets pending.
# file: core/deliver_2l.c
# model: 2l-send-hyper-unmask SC
/^static inline unsigned int mark_pending/,/^}/{
	s/^\tif \(evb_test_and_set_bit/\tbool masked = evb_test_bit(w->mask, port);\n&/
	s/return evb_test_bit\(w->mask, port\)/return masked/
}
