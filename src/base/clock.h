/* SPDX-License-Identifier: Apache-2.0 */
/* Clocks. Deadlines and intervals use the monotonic clock; leases use CLOCK_BOOTTIME, which goes on while the
 * machine sleeps; only what people read uses the wall clock. */
#pragma once

#include <stdint.h>

#define NS_PER_MS INT64_C(1000000)
#define NS_PER_S INT64_C(1000000000)

int64_t clock_mono_ns(void);
int64_t clock_boot_ns(void);
int64_t clock_wall_ms(void);
