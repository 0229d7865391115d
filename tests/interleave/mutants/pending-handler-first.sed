# MO-PENDING: the handler runs, then the pending bit is cleared.
# file: guest/bind.c
# model: 2l-send-twice-collect SC
/^static bool call_handler/,/^}/{
	/^\tfn\(v, port, ctx\);/d
	s/^\tif \(!v->guest->collect->clear\(.*/\tfn(v, port, ctx);\n&/
}
