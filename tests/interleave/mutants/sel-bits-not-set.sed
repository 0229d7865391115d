# MO-SEL: a new vcpu_info is published without its selector bits.
# file: core/upcall.c
# model: 2l-send-register-info SC
/^void evc_upcall_rescan/,/^}/s/evb_u32_store\(&info\[w->sel_word.*, UINT32_MAX\);/;/
