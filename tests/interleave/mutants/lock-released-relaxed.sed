# base/lock.h: giving the lock back orders nothing.
# file: base/include/base/lock.h
# with: tests/interleave/litmus_lock.c
# litmus: yes
s/evb_u32_store_release\(&l->held, 0\)/evb_u32_store_relaxed(\&l->held, 0)/
