# channel.c: a close takes the lock of its own end only.
# file: core/channel.c
# model: close-close-ends SC
/^int evc_channel_close_locked/,/^}/{
	s/^\tlock_two\(ch, peer\);/\tlock_channel(ch);/
	s/^\tunlock_two\(ch, peer\);/\tunlock_channel(ch);/
}
