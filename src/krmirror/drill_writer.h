/* SPDX-License-Identifier: Apache-2.0 */
/* Records that flow at a rate, round robin, whatever else waits on the same loop. Not one of them is sent twice: what got
 * no answer stays unknown, and is written anew under the next number. */
#pragma once

#include "client/admin.h"

struct writer_ack {
	int64_t offset;            /* of the first of n */
	int32_t n;
	int64_t written_ms;        /* wall clock: the records' timestamp */
	int64_t acked_ns;          /* monotonic */
};

struct writer_part {
	const char *topic;
	int32_t partition;
	/* results */
	struct writer_ack *acks;   /* in the order of their offsets */
	int n_acks;
	int64_t end;               /* behind the last one that was acknowledged */
	int64_t failures;
	struct err err;            /* of the last failure; RC_OK: the last one was acknowledged */
	/* private */
	struct writer *writer_;
	struct call call_;
	int64_t number_, due_;     /* records sent, and those that should be */
	int32_t sending_;
	int64_t sending_ms_;
};

struct writer;

/* The cluster outlives it; names are the caller's. */
struct writer *writer_create(struct cluster *cluster, int64_t rate);
/* Before writer_start. */
void writer_add(struct writer *writer, const char *topic, int32_t partition);
void writer_start(struct writer *writer);
/* Nothing more is sent; runs the loop until all answers have come. */
void writer_stop(struct writer *writer);
/* Stops it first. */
void writer_destroy(struct writer *writer);
int64_t writer_acked(const struct writer *writer);
const struct writer_part *writer_part(const struct writer *writer, int i);
/* The last failure of a partition that has not written since; NULL: all is well. */
const struct err *writer_trouble(const struct writer *writer);
