# MO-POLL: the sender looks for pollers, then sets pending.
# file: core/send.c
# model: 2l-send-poll SC
s/^static inline void raise_and_wake/static uint32_t early;\n\n&/
s/p.due & EVC_NEW && evb_u32_load\(&ch->domain->nr_polling\)/p.due \& EVC_NEW \&\& early/
/^static inline struct evc_posted post\(/,/^}/s/^\treturn /\tearly = evb_u32_load(\&d->nr_polling);\n&/
