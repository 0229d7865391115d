# MO-POLL: the poller looks at the ports, then joins the poll set.
# file: core/poll.c
# model: 2l-send-poll SC
/^static int poll_for/,/^}/{
	/^\tjoin\(v, /d
	s/^\tif \(rc != EVC_BLOCK\)/\tjoin(v, end_of_wait(v, p));\n&/
}
