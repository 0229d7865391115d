# Which tests there are and what each is linked with.

# The core on a fake host.
TESTS_CORE := $(wildcard tests/unit/test_core_*.c) tests/unit/test_states.c
ifeq ($(FIFO),none)
TESTS_CORE := $(filter-out tests/unit/test_core_fifo%.c,$(TESTS_CORE))
NEED_FIFO := tests/unit/test_sim_fifo.c tests/unit/test_fifo_threads.c
TEST_CFLAGS += -DEVC_TEST_NO_FIFO
endif
# The guest library on a platform inside the test.
TESTS_GUEST := $(wildcard tests/unit/test_guest_*.c tests/unit/test_collect_*.c)
# Both, in the simulator.
TESTS_SIM := $(filter-out $(NEED_FIFO),$(wildcard tests/unit/test_sim*.c))
# Both, on the fake host, with real threads.
TESTS_BOTH := $(filter-out $(NEED_FIFO),tests/unit/test_fifo_threads.c)
# Processes.
TESTS_PROCESS := $(wildcard tests/process/*.c)
