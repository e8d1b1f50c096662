/* SPDX-License-Identifier: Apache-2.0 */
/* The records of the control log: krmirror-control(5). Every record is one struct; fields of the JSON value that are
 * not known here are kept in `raw` and written back. Pure: no I/O.
 *
 * All strings are owned; NULL is absent. Times are wall-clock milliseconds. -1 is "not known" and absent in JSON. */
#pragma once

#include "base/err.h"
#include "base/str.h"

#include <jansson.h>
#include <stdbool.h>
#include <stdint.h>

enum { RECORD_VERSION = 1, APPEND_ID_LEN = 32 };

/* Keys: the caller frees with xfree. */
char *record_key_link(const char *link);
char *record_key_pause(const char *link);
char *record_key_mirror(const char *link, const char *topic);
char *record_key_link_state(const char *link);
char *record_key_mirror_state(const char *link, const char *topic);
char *record_key_claim(const char *worker);
char *record_key_worker(const char *worker);
char *record_key_sync(const char *link);

enum record_kind {
	RECORD_FOREIGN,          /* no key of ours */
	RECORD_LINK, RECORD_MIRROR, RECORD_LINK_STATE, RECORD_MIRROR_STATE, RECORD_CLAIM, RECORD_WORKER,
	RECORD_SYNC, RECORD_PAUSE
};

/* Splits a key; name (the link or worker) and topic are copied (xfree), NULL where the kind has none. */
enum record_kind record_key_parse(const char *key, size_t len, char **name, char **topic);

/* link/NAME: the wish. */
struct link_wish {
	char *name;
	char *link_id;                    /* a uuid in Kafka's text form */
	char *source_cluster_id, *destination_cluster_id;
	bool paused;
	int64_t created_ms;
	json_t *config;                   /* object of strings: what link.config said, secrets sealed: seal.h */
	char *key_id, *mac;               /* of seal.h; NULL: not signed */
	int64_t at;                       /* signed: the offset that it was written for; -1: none */
	int64_t replayed, replayed_ms;    /* where an older record of the link had been written again when this one was */
	/* no fields: */
	int64_t offset;                   /* where it stands; -1: nowhere, or not known */
	int64_t copy_offset, copy_ms;     /* where an older one stands behind it, and since when; -1: nowhere */
	json_t *raw;
};

/* pause/LINK: whether a link whose record has a place is paused: that record is not written again for it. */
struct link_pause {
	char *link;
	bool paused;
	json_t *raw;
};

/* What a mirror is wished to be. */
enum mirror_wish_kind { WISH_MIRROR, WISH_PROMOTE, WISH_FAILOVER };

/* mirror/LINK/TOPIC: the wish. */
struct mirror_wish {
	char *link, *topic;               /* topic: the destination's name */
	char *source_topic;
	struct uuid source_topic_id, destination_topic_id;   /* zero: not known */
	int32_t n_partitions;             /* at creation */
	bool created;                     /* false: the intention; the destination topic may or may not exist */
	bool paused;
	enum mirror_wish_kind wish;
	int64_t wish_ms;                  /* when promote or failover was wished */
	int64_t resumes;                  /* counts `mirror resume`: a higher one opens failed partitions anew */
	int64_t created_ms;
	int16_t replication_factor;       /* as asked; -1: the destination's default */
	json_t *settings;                 /* object: setting -> value at promotion; null: back to the broker's default */
	json_t *given_settings;           /* object: what was given, and does not follow the source; NULL: none */
	json_t *create_settings;          /* object: what the topic is created with */
	json_t *adopted_end;              /* object: partition -> offset; NULL: not adopted */
	json_t *producer_epochs;          /* object: partition -> epoch of the data id, where a door had been closed; NULL */
	json_t *own_settings;             /* object: what an adopted topic had of create_settings before, null: not set;
	                                   * NULL: the topic was made by krmirror */
	json_t *acls;                     /* object: `intended`, what AclSync withholds until promotion (acl_plan.h); NULL */
	json_t *guard;                    /* object: what keeps others from writing (guard_plan.h); NULL: nothing */
	json_t *start_offsets;            /* object: partition -> where the mirror begins; NULL: where the source does */
	json_t *raw;
};

/* state/LINK. */
enum link_state_kind { LINK_ACTIVE, LINK_PAUSED, LINK_UNAVAILABLE, LINK_FAILED };
struct link_state {
	char *name;
	enum link_state_kind state;
	int64_t since_ms;
	int64_t seen;                     /* the offset of the wish acted on; -1 */
	int64_t last_contact_ms;          /* -1 */
	char *error, *error_message;      /* a word and a sentence; NULL: none */
	json_t *tasks;                    /* object: name of a sync task -> task.h's task_json; NULL: not known */
	json_t *raw;
};

enum mirror_status {
	MIRROR_ACTIVE, MIRROR_PAUSED, MIRROR_LINK_PAUSED, MIRROR_SOURCE_UNAVAILABLE, MIRROR_LINK_FAILED,
	MIRROR_FAILED, MIRROR_PENDING_STOPPED, MIRROR_STOPPED
};

/* One partition in state/LINK/TOPIC, written by the worker that has its lane. */
struct partition_state {
	int32_t partition;
	char *state;                      /* lane_state_name: "COPYING" */
	char *reason;                     /* lane_reason_name, or NULL */
	char *error;                      /* a sentence, or NULL */
	int64_t since_ms;                 /* of the state */
	int64_t offset;                   /* stored pair: the log end ... */
	int32_t epoch;                    /* ... and the source's epoch of the batch below it; -1: none */
	int64_t time_ms;                  /* when the pair was written */
	int32_t rotation;                 /* of the filler id; 0 at first */
	char *lost;                       /* a sentence on records that the source lost, until resume; or NULL */
	int64_t lost_resumes;             /* mirror_wish.resumes when it was found; -1 */
	int64_t seed_from, seed_to;       /* a seeding under way; -1: none */
	int64_t emptied_end;              /* the log end before a DeleteRecords that may have left no batch; -1: none */
	int64_t txn_filler_id;            /* producer id of empty transactions that fill; -1: none */
	int64_t txn_filler_before;        /* and the one before it; -1 */
	bool fills_by_transactions;       /* for want of the right to write markers */
	bool throttled;                   /* the link's rate limit holds it back */
	int64_t tombstones;               /* offsets that were filled with tombstones, at least; 0 at first */
	int64_t source_end;               /* last stable offset of the source as last seen; -1 */
	int64_t source_end_ms;            /* when that was; -1 */
	char *worker;                     /* who wrote this entry */
	json_t *raw;
};

/* state/LINK/TOPIC. */
struct mirror_state {
	char *link, *topic;
	enum mirror_status status;
	int64_t since_ms;
	int64_t seen;                     /* the offset of the mirror wish acted on; -1 */
	bool closing;                     /* the door is being closed: nobody may write to the topic any more */
	bool policy_opened;               /* cleanup.policy allows DeleteRecords for a while, and is to be set back */
	bool sealed;                      /* a marker of the door may be in the log: no way back to mirroring */
	json_t *ends;                     /* object: partition -> the end that both sides had at `closing`; NULL */
	json_t *seed_ends;                /* object: partition that was being seeded -> its log end behind the door; NULL */
	json_t *latest_settings;          /* object: what of the source was followed, as it was at `closing`; NULL: not known */
	char *stopped_how;                /* "promoted", "failed_over"; NULL */
	char *door;                       /* "marker", "lease"; NULL */
	char *refused;                    /* why the last promote was withdrawn; NULL */
	int64_t refused_wish;             /* the offset of the wish that was withdrawn; -1 */
	struct partition_state *partitions;   /* by ascending number; may have holes */
	int n_partitions;
	json_t *raw;
};

/* claim/WORKER. */
struct claim {
	char *worker;
	int64_t n;
	char *host;
	int64_t time_ms;
	int32_t session_timeout_ms;       /* of a worker: how long it may act on its last heartbeat; -1: not said */
	json_t *raw;
};

/* worker/ID. */
struct worker_record {
	char *worker;
	char *address;                    /* http.advertised.listener, or NULL */
	char *version, *host;
	int64_t started_ms;
	json_t *raw;
};

/* sync/LINK: what the sync tasks of a link must not forget. */
struct sync_record {
	char *link;
	json_t *forgotten;                /* object: mirror topic -> when `mirror delete` forgot it; NULL: none */
	json_t *acls;                     /* object: `made`, the ACLs that stand by the task's doing (acl_plan.h); NULL */
	json_t *raw;
};

/* Decode: RC_PROTO when the value is not one of ours (text says what is wrong), RC_UNSUPPORTED when its `v` is higher
 * than RECORD_VERSION (UPGRADE_NEEDED). The struct is zeroed first; _fini is right after a failure too. */
int link_wish_decode(struct link_wish *w, const char *name, json_t *value, struct err *err) MUST_USE;
int link_pause_decode(struct link_pause *p, const char *link, json_t *value, struct err *err) MUST_USE;
int mirror_wish_decode(struct mirror_wish *w, const char *link, const char *topic, json_t *value,
		       struct err *err) MUST_USE;
int link_state_decode(struct link_state *s, const char *name, json_t *value, struct err *err) MUST_USE;
int mirror_state_decode(struct mirror_state *s, const char *link, const char *topic, json_t *value,
			struct err *err) MUST_USE;
int claim_decode(struct claim *c, const char *worker, json_t *value, struct err *err) MUST_USE;
int sync_record_decode(struct sync_record *s, const char *link, json_t *value, struct err *err) MUST_USE;
int worker_record_decode(struct worker_record *w, const char *worker, json_t *value, struct err *err) MUST_USE;

/* Encode: a new object with `v`, the fields, and what `raw` held besides. append_id is put in by the log. */
json_t *link_wish_encode(const struct link_wish *w);
json_t *link_pause_encode(const struct link_pause *p);
json_t *mirror_wish_encode(const struct mirror_wish *w);
json_t *link_state_encode(const struct link_state *s);
json_t *mirror_state_encode(const struct mirror_state *s);
json_t *claim_encode(const struct claim *c);
json_t *worker_record_encode(const struct worker_record *w);
json_t *sync_record_encode(const struct sync_record *s);

void link_wish_fini(struct link_wish *w);
void link_pause_fini(struct link_pause *p);
void mirror_wish_fini(struct mirror_wish *w);
void link_state_fini(struct link_state *s);
void mirror_state_fini(struct mirror_state *s);
void claim_fini(struct claim *c);
void worker_record_fini(struct worker_record *w);
void sync_record_fini(struct sync_record *s);

/* A wish with a name and nothing else. */
void link_wish_init(struct link_wish *w, const char *name);
/* An empty state of a mirror that nobody has acted on yet. */
void mirror_state_init(struct mirror_state *s, const char *link, const char *topic);
void link_state_init(struct link_state *s, const char *name);
/* The entry of a partition; made (UNBOUND, nothing known) when there is none. Valid until the next call. */
struct partition_state *mirror_state_partition(struct mirror_state *s, int32_t partition);
/* NULL: no entry. */
const struct partition_state *mirror_state_find(const struct mirror_state *s, int32_t partition);
/* Sets an owned string field. */
void record_set(char **field, const char *value);

const char *mirror_status_name(enum mirror_status status);
bool mirror_status_parse(const char *name, enum mirror_status *status);
const char *link_state_name(enum link_state_kind state);
