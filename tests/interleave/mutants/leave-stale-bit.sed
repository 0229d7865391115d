# Leaving FIFO: what is pending in the queue is not carried back.
# file: core/fifo.c
# model: fifo-leave-static-send SC
/^static void carry_back/,/^}/s/^\t\tevc_post_locked\(ch\);/\t\t;/
