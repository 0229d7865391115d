# MO-POLL: the poller is counted after it has joined.
# file: core/poll.c
# model: 2l-asleep-send-poll-send SC
/^static void join/,/^}/{
	/nr_polling, 1\);/d
	s/^\t\tuncount\(v\);/\t\treturn;\n\t(void)evb_u32_add(\&v->domain->nr_polling, 1);/
}
