# MO-PORTS: the count, then the bucket.
# file: core/port_table.c
# model: grow-send SC
/^static int grow/,/^}/{
	/evb_u32_store_release\(&d->ports.nr_valid/d
	s/^\td->ports.bucket\[index\] = ch;/\tevb_u32_store_release(\&d->ports.nr_valid, first + EVC_BUCKET_PORTS);\n&/
}
