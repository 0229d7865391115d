# MO-PARK: expand_array looks who is parked, then publishes the page.
# file: core/fifo.c
# model: fifo-expand-send SC
/^int evc_expand_array/,/^}/{
	/^\tevb_ptr_store\(&f->array/d
	s/^\tf->nr_pages\+\+;/\tevb_ptr_store(\&f->array[f->nr_pages], page);\n&/
}
