# MO-ARRAY: the page is given to the hypervisor, then filled.
# file: guest/fifo.c
# model: gfifo-page-send SC
/^static int give_page/,/^}/{
	/^\tfill\(lent->mem\);/d
	s/^\trc = evg_call_expand_array.*/&\n\tfill(lent->mem);/
}
