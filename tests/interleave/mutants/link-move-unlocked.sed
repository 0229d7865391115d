# MO-LINK: a move takes the new queue's lock only.
# file: core/deliver_fifo.c
# model: fifo-move-send-send SC
/move_and_link\(struct/,/^}/{
	/^\tif \(last [<>!]=? ?q\)/d
	/(lock_queue\(last\)|evb_unlock\(&last->lock\));/d
}
