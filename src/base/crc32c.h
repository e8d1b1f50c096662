/* SPDX-License-Identifier: Apache-2.0 */
/* CRC-32C (Castagnoli), and its shift: the CRC of a message can be patched for changed bytes at its front without
 * reading the rest. ISA-L where it was found at configure time, else the CPU's own instruction where it has one, else
 * tables; chosen once before main. Any thread may call. */
#pragma once

#include <stddef.h>
#include <stdint.h>

/* The register itself: no inversion before or after. The raw CRC of a xor b is that of a xor that of b. */
uint32_t crc32c_raw(uint32_t reg, const void *data, size_t len);

/* The CRC of data; init is 0, or the CRC of the bytes before it. */
static inline uint32_t crc32c(uint32_t init, const void *data, size_t len)
{
	return ~crc32c_raw(~init, data, len);
}

/* What the register becomes after len zero bytes: reg times x^(8 len). With it crc(a b) = shift(crc(a), len(b)) ^
 * crc(b), and a patch of a is shift(raw(a ^ a'), len(b)). */
uint32_t crc32c_shift(uint32_t reg, uint64_t len);

/* For tests: the portable ways, whatever the CPU has. */
uint32_t crc32c_raw_portable(uint32_t reg, const void *data, size_t len);
uint32_t crc32c_shift_portable(uint32_t reg, uint64_t len);
