# MO-BLOCK: the vCPU looks what was posted, then lies down.
# file: tests/interleave/models_doze.c
# model: doze-post SC
/^static void doze/,/^}/{
	/^\tevp_lie_down/d
	s/^\t\tevb_u32_store_relaxed\(SLEEPS/\t\tevp_lie_down(MARK, EVP_DOZING);\n&/
	s/else/else {/
	s/(SLEEPS, 1\);)/\1 }/
}
