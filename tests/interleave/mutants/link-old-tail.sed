# MO-LINK: an old tail is not forgotten when its port goes elsewhere.
# file: core/deliver_fifo.c
# model: fifo-priority-send-send SC
/^static unsigned int link_locked/,/^}/s/^\t\tlast->tail = 0;/\t\t;/
