# channel.c: a port between the two steps of a close may be bound to.
# file: core/channel.c
# model: close-ends-bind-send SC
s/^\tch->closing = true;/\t;/
