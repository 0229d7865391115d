# MO-BLOCK: the host is kicked before the flag is set.
# file: core/upcall.c
# model: 2l-send-block SC
/^void evc_upcall_raise/,/^}/{
	/^\tevc_host_kick\(v\);/d
	s/^\tif \(evb_u8_xchg\(flag, 1\)\)/\tif (!evb_u8_load(flag))\n\t\tevc_host_kick(v);\n&/
}
