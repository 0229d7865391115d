# base/lock.h: whoever waited takes the lock without asking.
# file: base/include/base/lock.h
# with: tests/interleave/litmus_lock.c
# litmus: yes
s/\} while \(evb_[a-z0-9_]*\(&l->held, [01]\)\);/} while (0);\n\tevb_u32_store(\&l->held, 1);/
