# virq.c: raising trusts the slot and does not look at the channel again.
# file: core/virq.c
# model: virq-rebind SC
s/ch->state == EVC_ST_VIRQ && ch->u.virq == virq/ch->state > EVC_ST_RESERVED/
