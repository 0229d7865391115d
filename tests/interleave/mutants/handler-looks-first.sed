# MO-HANDLER: delivery looks for the handler, then takes running.
# file: guest/bind.c
# model: guest-unbind-while-handled SC
/^bool evg_deliver/,/^}/{
	s/^\tif \(!start_running/\tbool early = evb_u32_load(\&e->bound);\n&/
	s/if \(evb_u32_load\(&e->bound\)/if (early/
}
