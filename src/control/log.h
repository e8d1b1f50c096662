/* SPDX-License-Identifier: Apache-2.0 */
/* The control log: one compacted single-partition topic on the destination that holds links, mirrors and states
 * (DESIGN 8, krmirror-control(5)). It is read into a view: key -> latest record. Writing is compare and append.
 *
 * Sequential code over client/wait.h: every call here runs the loop until it is done. One loop owns it. */
#pragma once

#include "client/cluster.h"
#include "control/notes.h"
#include "control/outcome.h"
#include "control/record.h"
#include "control/secret_key.h"

struct control_log;

/* The fixed producer id of every control log: 2^62 | first 61 bits of SHA-256("krmirror control log"). */
extern const int64_t control_log_producer_id;

struct control_log_opts {
	const char *topic;            /* control.topic */
	int32_t replication;          /* -1: min(3, brokers) */
	const char *principal;        /* krmirror's own; NULL: not known. Copied */
	bool of_others;               /* another cluster's: only read, and nothing is mended there */
	struct notes *notes;          /* told what the topic could not be guarded for; NULL: nobody is. Outlives the log */
};

struct control_log *control_log_create(struct cluster *destination, const struct control_log_opts *opts);
void control_log_destroy(struct control_log *log);

/* Reads the log to its end. A topic that does not exist is an empty log; it is made by the first append. */
enum outcome control_log_read(struct control_log *log, int64_t deadline_ns, struct err *err) MUST_USE;
/* Reads what is new; a broker that has nothing answers after wait_ms at most (0: at once). *changed (may be NULL):
 * something came. */
enum outcome control_log_poll(struct control_log *log, int32_t wait_ms, int64_t deadline_ns, bool *changed,
			      struct err *err) MUST_USE;
/* Makes the topic when it is missing; losing the race to make it is success. */
enum outcome control_log_make(struct control_log *log, int64_t deadline_ns, struct err *err) MUST_USE;

/* One key's latest record. Valid until the next read, poll or update. */
struct control_record {
	char *key;
	enum record_kind kind;
	char *name, *topic;           /* of the key */
	json_t *value;
	int64_t offset;
	int64_t time_ms;              /* the record's timestamp */
	char append_id[APPEND_ID_LEN + 1];
	int64_t copy_offset, copy_ms;  /* of a link: where an older record stands behind it, and since when; -1: nowhere */
};

/* NULL: no such key, or it was removed. */
const struct control_record *control_log_get(const struct control_log *log, const char *key);
/* All of a kind in the order of their keys; after NULL: the first. NULL: no more. */
const struct control_record *control_log_next(const struct control_log *log, enum record_kind kind,
					      const struct control_record *after);
/* The next offset to read: grows with every record that came. */
int64_t control_log_position(const struct control_log *log);
/* Records that were skipped: not ours, broken, or in a compressed batch. */
int64_t control_log_foreign(const struct control_log *log);
/* False: the topic did not exist when it was last read. */
bool control_log_exists(const struct control_log *log);

/* The records of one decision. */
struct control_batch;
/* Takes over value. A second put of a key replaces the first. */
void control_batch_put(struct control_batch *batch, const char *key, json_t *value);
/* The value of a link's record: signed when its place is known. key outlives the update; NULL: not signed. */
void control_batch_put_signed(struct control_batch *batch, const char *link, json_t *value, const struct secret_key *key);
void control_batch_remove(struct control_batch *batch, const char *key);
/* Typed puts: the key is made of the record's own names. */
/* A link's record, signed for its place where key is not NULL. */
void control_batch_link(struct control_batch *batch, const struct link_wish *w, const struct secret_key *key);
/* The same, in place of the one that stands in the log, and of what said since whether it is paused. */
void control_batch_link_anew(const struct control_log *log, struct control_batch *batch, const struct link_wish *w,
			     const struct secret_key *key);
void control_batch_pause(struct control_batch *batch, const char *link, bool paused);
void control_batch_mirror(struct control_batch *batch, const struct mirror_wish *w);
void control_batch_link_state(struct control_batch *batch, const struct link_state *s);
void control_batch_mirror_state(struct control_batch *batch, const struct mirror_state *s);
void control_batch_sync(struct control_batch *batch, const struct sync_record *s);

/* Decides from the view what to append: anything but OUTCOME_DONE ends the update with it (err filled). Nothing put in
 * and OUTCOME_DONE: nothing to do. Called again, with a fresh batch, when another writer was first. No I/O in it. */
typedef enum outcome control_decide_fn(struct control_log *log, struct control_batch *batch, void *arg,
				       struct err *err);

/* Compare and append: when it is done the records of the last decision stand in the log and in the view, and nothing
 * that the decision did not see stands before them. *appended (may be NULL): something was written. OUTCOME_TIMED_OUT:
 * not known to be written; deciding again finds out. */
enum outcome control_log_update(struct control_log *log, control_decide_fn *decide, void *arg, int64_t deadline_ns,
				bool *appended, struct err *err) MUST_USE;

/* How long somebody may act without a heartbeat: the longest session timeout of those that hold a claim, which may have
 * another configuration than we; own_ms at least. */
int32_t control_log_session_ms(const struct control_log *log, int32_t own_ms);
/* Appends claim/WORKER with the highest number in the log + 1. */
enum outcome control_log_claim(struct control_log *log, const char *worker, int64_t deadline_ns, int64_t *n,
			       struct err *err) MUST_USE;

/* Typed reads of the view: RC_NOT_FOUND, or as record.h's decode. */
int control_log_link(const struct control_log *log, const char *link, struct link_wish *w, struct err *err) MUST_USE;
int control_log_mirror(const struct control_log *log, const char *link, const char *topic, struct mirror_wish *w,
		       struct err *err) MUST_USE;
/* Without a record: the initial state, and RC_OK. */
int control_log_link_state(const struct control_log *log, const char *link, struct link_state *s,
			   struct err *err) MUST_USE;
int control_log_mirror_state(const struct control_log *log, const char *link, const char *topic,
			     struct mirror_state *s, struct err *err) MUST_USE;
int control_log_sync(const struct control_log *log, const char *link, struct sync_record *s, struct err *err) MUST_USE;
/* Where the wish stands, the newest part of it, for `seen`; -1: nowhere. */
int64_t control_log_mirror_offset(const struct control_log *log, const char *link, const char *topic);
/* How many partitions a mirror's records name; 0: none that can be read. */
int32_t control_log_mirror_partitions(const struct control_log *log, const char *link, const char *topic);
int64_t control_log_link_offset(const struct control_log *log, const char *link);
