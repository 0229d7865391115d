# MO-ARRAY: the page is given to the hypervisor, then published in the guest.
# file: guest/fifo.c
# model: gfifo-page-send-other SC
/^static int give_page/,/^}/{
	/^\tevb_ptr_store_release\(&f->array\[n\], lent->mem\);/d
	s/^\trc = evg_call_expand_array.*/&\n\tevb_ptr_store_release(\&f->array[n], lent->mem);/
}
