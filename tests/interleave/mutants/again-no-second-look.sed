# MO-AGAIN: a vCPU leaves word and does not look once more.
# file: guest/bind.c
# model: guest-far-deliver-move-send-collect SC
/^static bool start_running/,/^}/s/^\treturn try_run\(e, v\);/\treturn false;/
