BENCH_PROGRAMS := $(BUILD)/bench/core $(BUILD)/bench/notify $(BUILD)/bench/collect $(BUILD)/bench/memory $(BUILD)/bench/upcall $(BUILD)/bench/malicious
