# MO-BLOCK: who posts takes the mark, then posts.
# file: tests/interleave/models_doze.c
# model: doze-post SC
/^static void post\(unsigned/,/^}/{
	/evb_u32_add\(&world\.payload/d
	s/^\t\t\(void\)evb_u32_add\(&world\.rung, 1\);/&\n\t(void)evb_u32_add(\&world.payload[which], 1);/
}
