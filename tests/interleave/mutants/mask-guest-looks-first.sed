# MO-MASK: the guest looks at pending, then clears the mask.
# file: guest/collect_2l.c
# model: 2l-send-unmask SC
/^static bool unmask_2l/,/^}/{
	s/^\t\(void\)evb_test_and_clear_bit\(g->mask, port\);/\tbool early = evb_test_bit(g->pending, port);\n\n&/
	s/return evb_test_bit\(g->pending, port\);/return early;/
}
