# channel.c: a closed port stays pending.
# file: core/channel.c
# model: send-close SC
s/^\tevc_deliver_of\(d\)->clear\(d, ch\);/\t;/
