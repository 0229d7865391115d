# MO-PORTS: the count is loaded relaxed.
# file: core/port_table.h
# with: core/send.c
# model: grow-send SC
s/evb_u32_load_acquire\(&d->ports.nr_valid\)/evb_u32_load_relaxed(\&d->ports.nr_valid)/
