# MO-PORTS: the count is stored relaxed.  x86 does not mind; C11 does.
# file: core/port_table.c
# model: grow-send SC
s/evb_u32_store_release\(&d->ports.nr_valid/evb_u32_store_relaxed(\&d->ports.nr_valid/
