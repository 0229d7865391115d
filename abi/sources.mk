# SPDX-License-Identifier: MIT
ABI_SRCS := abi/abi_assert.c
