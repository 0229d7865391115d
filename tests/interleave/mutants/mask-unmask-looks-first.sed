# MO-MASK: the hypercall looks at pending, then clears the mask.
# file: core/deliver_2l.c
# model: 2l-send-hyper-unmask SC
/^static inline unsigned int clear_mask/,/^}/{
	s/^\tif \(port >= w->nr_ports/\tbool early = port < w->nr_ports \&\& evb_test_bit(w->pending, port);\n\n&/
	s/return evb_test_bit\(w->pending, port\)/return early/
}
