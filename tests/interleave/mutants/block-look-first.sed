# MO-BLOCK: the host looks at the flag, then marks the vCPU asleep.
# file: tests/interleave/world.c
# model: 2l-send-block SC
/^void world_run_vcpu/,/^}/{
	/evb_u32_store\(.*, 1\);/d
	s/^\tif \(evg_upcall_is_pending/\tif (!evg_upcall_is_pending/
	s/evb_u32_store\((.*), 0\);/evb_u32_store(\1, 1);/
}
