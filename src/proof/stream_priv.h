/* SPDX-License-Identifier: Apache-2.0 */
/* What the files of a stream share: stream.c reads what is here, stream_ask.c asks for more. */
#pragma once

#include "mirror/flatten.h"
#include "proof/stream.h"
#include "wire/msg/fetch.h"

/* One Fetch, from asking to the last of its records. */
enum answer_state { ANSWER_FREE, ANSWER_ASKED, ANSWER_HERE };

struct answer {
	struct stream *stream;
	struct call call;
	enum answer_state state;
	bool stale;              /* asked before the last seek: its records are not wanted */
	int64_t from, next;      /* asked offset; behind the last batch that is whole */
	struct bytes records;
	const struct fetched_partition *part;
};

struct stream {
	struct stream_opts opts;
	char *topic;
	struct broker *broker;
	int32_t node;
	struct answer answers[2];
	int reading;             /* which answer is read, or will be */
	struct call earliest;    /* after OFFSET_OUT_OF_RANGE */
	bool asked_earliest;
	struct timer pause;
	int64_t position, to, trimmed, last_hole;
	int64_t trouble_ns;      /* since when nothing came in; 0: all is well */
	bool ahead, told, closing, failed, walking, in_batch;
	int empty;               /* answers in succession without a batch */
	int64_t crc_failed_at;   /* -1: never */
	struct flatten flatten;
	struct reader in;
	struct batch_header batch;
	struct record_reader *records;
	struct err error, last;
};

/* ---- stream.c ---- */
/* To be called when a call of a closing stream has ended. */
void stream_free_when_quiet(struct stream *s);

/* ---- stream_ask.c ---- */
void stream_ask_init(struct stream *s);
/* Calls are under way. */
bool stream_busy(const struct stream *s);
/* Asks for what is needed, and for what will be. */
void stream_pump(struct stream *s);
