/* SPDX-License-Identifier: Apache-2.0 */
/* A bucket of bytes that fills at a steady rate, for what one data loop fetches for one link. Pure.
 *
 * An answer may be larger than what was asked for (a broker gives at least one batch): then the bucket is in debt, and
 * nothing more is asked for until it is paid. So the rate holds over time, whatever the batches are. */
#pragma once

#include <stdbool.h>
#include <stdint.h>

struct rate {
	int64_t bytes_per_s;   /* 0: no limit */
	int64_t bytes;         /* that may be fetched; below 0: debt */
	int64_t at_ns;         /* until when it was filled */
	int64_t held_ns;       /* when it kept something back last; 0: never */
};

/* Keeps the debt; 0 ends the limit. */
void rate_set(struct rate *rate, int64_t bytes_per_s, int64_t now_ns);
static inline bool rate_limits(const struct rate *rate)
{
	return rate->bytes_per_s != 0;
}
/* How much one fetch asks for at most: a sixteenth of a second, within bounds. */
int32_t rate_slice(const struct rate *rate);
/* 0: a slice may be fetched now. Else the time at which one may be; that it was held back is noted. */
int64_t rate_wait_ns(struct rate *rate, int64_t now_ns);
/* So much has come. */
void rate_take(struct rate *rate, int64_t bytes, int64_t now_ns);
/* Whether it kept something back in the last two seconds. */
bool rate_holds(const struct rate *rate, int64_t now_ns);
