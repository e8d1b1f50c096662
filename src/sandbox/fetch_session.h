/* SPDX-License-Identifier: Apache-2.0 */
/* Incremental fetch sessions (KIP-227): what a session's partitions were asked with and answered last, in the order
 * in which they are served. */
#pragma once

#include "base/list.h"
#include "base/map.h"
#include "sandbox/store.h"

enum { FETCH_SESSIONS_MAX = 1000, FETCH_SESSION_EVICT_MS = 120000 };

/* A partition of a Fetch: by name, or by id when the session (or request) uses ids. */
struct fetch_item {
	struct str topic;
	struct uuid topic_id;
	int32_t partition;
	int32_t current_leader_epoch, last_fetched_epoch, max_bytes;
	int64_t offset;
};

struct fetch_entry {
	struct list node;               /* in fetch_session.entries, the serving order */
	struct fetch_item item;         /* item.topic is the entry's own */
	int64_t high_watermark, log_start_offset;  /* as answered last; -1: must be told again */
	size_t key_len;
	uint8_t key[];
};

struct fetch_session {
	struct list node;               /* in fetch_sessions.order, the longest unused first */
	int32_t id, epoch;
	bool uses_ids;
	int64_t used_at_ms;
	struct list entries;
	struct map by_key;
};

struct fetch_sessions {
	struct list order;
	struct map by_id;
};

void fetch_sessions_init(struct fetch_sessions *all);
void fetch_sessions_fini(struct fetch_sessions *all, struct store *store);
/* NULL: no such one. */
struct fetch_session *fetch_session_find(const struct fetch_sessions *all, int32_t id);
/* An empty session with epoch 1, or NULL when there is no room. id must be free. */
struct fetch_session *fetch_session_create(struct fetch_sessions *all, struct store *store, int32_t id,
					   int64_t now_ms);
void fetch_session_remove(struct fetch_sessions *all, struct store *store, struct fetch_session *session);
void fetch_session_touch(struct fetch_sessions *all, struct fetch_session *session, int64_t now_ms);
/* Adds the item or replaces what is asked of its partition. False when memory is out. */
bool fetch_session_put(struct fetch_session *session, struct store *store, const struct fetch_item *item);
struct fetch_entry *fetch_session_entry(const struct fetch_session *session, const struct fetch_item *item);
void fetch_session_forget(struct fetch_session *session, struct store *store, const struct fetch_item *item);
/* The partition had data: others come first next time. */
void fetch_session_rotate(struct fetch_session *session, struct fetch_entry *entry);
/* The epoch after epoch: 1 follows the largest. */
int32_t fetch_epoch_next(int32_t epoch);
