/* SPDX-License-Identifier: Apache-2.0 */
/* The one way into a log: what clients send, after all checks, and the markers of WriteTxnMarkers. */
#pragma once

#include "sandbox/state.h"

struct appended {
	int16_t code;
	const char *why;            /* a sentence for an error; may be NULL */
	int64_t base_offset;        /* -1 with an error */
	int64_t log_append_time_ms; /* -1 where the records keep their time */
	int64_t log_start_offset;
};

/* Appends the one batch of a Produce partition. */
struct appended append_records(struct sandbox *sb, struct partition *p, const struct records *records,
			       int16_t version);
/* Appends a control batch, which ends the producer's open transaction, if there is one. The error code. */
int16_t append_marker(struct sandbox *sb, struct partition *p, const struct producer_marker *marker, bool commit);
/* The same for the transaction coordinator, whose markers are owed: the memory limit does not keep them out. One that
 * is refused is not written. */
void append_owed_marker(struct sandbox *sb, struct partition *p, const struct producer_marker *marker, bool commit);
/* Cuts the log at end and brings what is known of producers back to what the rest of the log says. */
void append_truncate(struct sandbox *sb, struct partition *p, int64_t end);
