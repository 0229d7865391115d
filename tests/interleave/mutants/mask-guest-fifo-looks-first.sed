# MO-MASK: the FIFO guest looks at PENDING, then clears MASKED.
# file: guest/collect_fifo.c
# model: gfifo-send-unmask SC
/^static bool unmask_fifo/,/^}/s/evb_u32_cas\(word, &w, w & ~MASKED\)/(evb_u32_and(word, ~MASKED), 1)/
