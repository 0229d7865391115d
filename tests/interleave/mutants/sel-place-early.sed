# MO-SEL: the sender looks up the vcpu_info before it sets pending.
# file: core/deliver_2l.c
# model: 2l-send-register-info SC
/^static struct evc_posted post_2l/,/^}/{
	s/^\treturn .*/\tstruct evc_vcpu *v = evc_notified(ch);\n\tvoid *early = evb_ptr_load(\&v->info);\n\tunsigned int due = mark_pending(w, ch->port);\n\n\tif (due \& EVC_RAISE)\n\t\tdue = select_port(w, early, ch->port, due);\n\treturn (struct evc_posted){due, v};/
}
