# MO-BLOCK: the host marks the vCPU asleep with a plain store.
# file: tests/interleave/world.c
# model: 2l-send-block TSO
# not: 2l-send-block SC
/^void world_run_vcpu/,/^}/s/evb_u32_store\((.*), 1\);/evb_u32_store_relaxed(\1, 1);/
