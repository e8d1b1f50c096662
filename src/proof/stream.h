/* SPDX-License-Identifier: Apache-2.0 */
/* What a read_committed consumer gets from a range of one partition, record after record: one partition of one side.
 * While records of one answer are read the next is on its way; no more than two answers are held.
 *
 * A stream belongs to one loop. The caller pulls: after STREAM_WAIT it is told once, by `ready`, that pulling is worth
 * a try. ready comes out of the loop and only takes a note: it calls nothing of the stream. */
#pragma once

#include "base/err.h"
#include "client/cluster.h"
#include "wire/record_reader.h"

struct stream_opts {
	struct cluster *cluster;         /* its metadata must track the topic */
	struct buf_pool *pool;           /* answers come from it */
	const char *topic;
	int32_t partition;
	int32_t bytes_max;               /* of one answer; a batch that is larger comes alone */
	int32_t patience_ms;             /* how long trouble may last before the stream fails */
	void (*ready)(void *owner);
	void *owner;
};

enum stream_result {
	STREAM_RECORD,    /* *v is set; its bytes are valid until the next call with the stream */
	STREAM_WAIT,
	STREAM_END,       /* nothing more below the end */
	STREAM_FAILED     /* see stream_error */
};

struct stream;

struct stream *stream_create(const struct stream_opts *opts);
/* ready does not come any more. The memory goes when the loop has ended what is under way, and before the cluster that
 * it belongs to is gone. */
void stream_destroy(struct stream *stream);

/* Reads [from, to) next, and forgets what it has. ahead: also asks for what follows before it is needed. */
void stream_seek(struct stream *stream, int64_t from, int64_t to, bool ahead);
enum stream_result stream_next(struct stream *stream, struct record_view *v);
/* All visible records below this offset have been given, or skipped by stream_seek. */
int64_t stream_position(const struct stream *stream);
/* Holds answers that were not read to their end. */
bool stream_holds(const struct stream *stream);
/* The highest log start that was seen, where it was beyond the position: records below it were deleted while they were
 * being read. -1: none. */
int64_t stream_trimmed(const struct stream *stream);
/* Offsets without a visible record that were passed, up to the position. */
int64_t stream_last_hole(const struct stream *stream);
const struct err *stream_error(const struct stream *stream);
