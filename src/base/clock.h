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

enum { CLOCK_TEXT_MAX = 32 };

/* The wall time as ISO 8601 in UTC, with milliseconds: "2026-01-31T12:00:05.250Z". */
void clock_wall_text(char text[CLOCK_TEXT_MAX]);
