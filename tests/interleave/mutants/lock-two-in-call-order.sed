# core/locking.h: two channel locks in the caller's order.
# file: core/locking.h
# with: core/channel.c
# model: close-close-ends SC
s/is_below\(b, a\)/0/
s/is_below\(a, b\)/1/
