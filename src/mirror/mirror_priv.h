/* SPDX-License-Identifier: Apache-2.0 */
/* What the files of one data loop share. Everything here lives on that loop's thread. */
#pragma once

#include "base/buf.h"
#include "base/map.h"
#include "mirror/align.h"
#include "mirror/claims.h"
#include "mirror/fence.h"
#include "mirror/lane.h"
#include "mirror/lane_table.h"
#include "mirror/mirror.h"
#include "mirror/prefix.h"
#include "mirror/rate.h"
#include "mirror/rewriting.h"
#include "mirror/seed.h"
#include "mirror/totals.h"

#include <pthread.h>

struct mirror_link;
struct command;
struct fetcher;
struct sink;
struct filler;
struct rewriting;
struct txn_filler;
struct round;

/* Where a lane is in being opened (opening.c). */
enum opening_step {
	OPENING_IDLE,      /* not being opened */
	OPENING_WAIT,      /* until retry_at_ns */
	OPENING_ENDS,      /* the destination's ends around its producers */
	OPENING_TAIL,      /* the destination's last batch */
	OPENING_SOURCE,    /* the source's ends */
	OPENING_EPOCH,     /* whether the source still has what was mirrored up to the known pair */
	OPENING_LOCAL,     /* the destination's batches from there to its end, piece by piece, */
	OPENING_COMPARE    /* each compared with the source's */
};

struct opening {
	enum opening_step step;
	struct list node;           /* in mirror->opening_queue or opening_waiting */
	struct round *round;        /* the calls that are under way for it */
	int64_t retry_at_ns;
	int attempts;
	bool alone;                 /* its batch did not fit beside others: fetch it by itself */
	int64_t missing_since_ns[2];/* source, destination: the topic is unknown since; 0: it is known */
	int32_t leader, leader_epoch;
	struct align_ends ends;
	struct align_input in;
	struct lane_opening result;
	int64_t compared;           /* below it both sides are known to be equal */
	struct prefix prefix;       /* the destination's next records */
	struct fence_opening fillers;
	struct fence_seen filler_before;
};

struct source_slot {
	struct fetcher *fetcher;    /* NULL: not bound */
	struct list node, dirty_node;
	bool in_session;
	bool parked;                /* gave back its buffers: fetch again after the next append */
	int64_t told_offset;
	int32_t told_leader_epoch, told_last_epoch;
	int32_t leader, leader_epoch;
	int64_t quiet_until_ns;     /* after a partition error */
	int64_t too_far_at;         /* the batch that reached beyond the high watermark last; -1: none */
	int64_t asked_ns;           /* since when this position was asked for, and the stable end known */
};

struct sink_slot {
	struct sink *sink;          /* NULL: not bound */
	struct list ready_node;
	int32_t leader, leader_epoch;
	bool slow;                  /* bind to the connection of troubled lanes */
	int good;                   /* appends since it was put there */
	int64_t progress_ns;        /* of the last acknowledgement, or of being opened */
	int64_t corrupt_at;         /* offset that the destination found corrupt last; -1 */
	int failures;               /* openings in a row that ended in doubt before any progress */
};

struct fill_slot {
	struct filler *filler;      /* NULL: not bound */
	struct list ready_node;
	struct fence fence;
	int64_t *ids;               /* filler ids of the rotations 0 .. spec.rotation, */
	int32_t n_ids;              /* and behind them the recorded ones of empty transactions */
	int32_t rotation_wanted;    /* above spec.rotation: to be recorded */
	bool claim_wanted;          /* waits for another claim number */
	/* empty transactions, where the right for markers is missing */
	struct txn_filler *txn;     /* NULL: not needed so far */
	bool by_transactions;       /* the right is missing */
	int64_t txn_id_wanted;      /* their producer id, to be recorded; -1: none */
};

struct mirror_lane {
	struct lane lane;
	struct mirror *mirror;
	struct mirror_link *link;
	char *topic, *source_topic_name;
	int32_t partition;
	struct lane_spec spec;      /* numbers and ids; its strings are the fields above */
	struct lane_topic *source_topic, *local_topic;
	struct opening opening;
	int64_t known_offset;       /* below it everything was mirrored from the source's leader epoch known_epoch or older */
	int32_t known_epoch;        /* -1: no pair is known */
	struct source_slot source;
	struct sink_slot sink;
	struct fill_slot fill;
	struct seed_plan seed;      /* what the last opening found to be seeded; to -1: nothing */
	struct rewriting_slot rewriting;
	int32_t seed_records_max;   /* of a batch of seeds or tombstones, where larger ones were refused; 0: any */
	struct list node;           /* in mirror->lanes */
	bool closing;
	struct command *successor;  /* to be run when this lane is gone: it is opened again */
	int64_t retry_at_ns;        /* FAILED with a reason that is tried again; 0: none */
	enum lane_reason retried;   /* the failure that is being tried again: told until the lane is aligned */
	char retried_error[256];
	char subject[160];          /* for logs */
	struct lane_counts before;  /* of this partition's lanes before this one */

	/* what is told */
	int64_t since_wall_ms;
	int64_t source_log_start, source_high_watermark, source_last_stable, local_log_start;
	int64_t last_fetch_wall_ms, last_append_wall_ms, caught_up_wall_ms;
	bool under_replicated;
	enum lane_state told_state;
	enum lane_reason told_reason;
};

struct mirror_link {
	struct mirror *mirror;
	char *name;
	struct link_spec spec;
	bool closing;
	struct cluster *source;
	struct cluster_watch watch;
	struct lane_table table;
	struct rate rate;           /* what is fetched here */
	struct list fetchers;
	struct list node;
	enum lane_reason failed;
	char error[256];
	int64_t contact_wall_ms;
};

struct mirror {
	struct mirror_opts opts;
	struct loop *loop;
	pthread_t thread;
	struct buf_pool *data_pool;     /* fetched frames: the budget */
	struct rewriting *rewriting;
	struct buf_pool *small_pool;    /* everything else, so that answers never wait for records */
	struct cluster *destination;
	struct cluster_watch watch;
	struct lane_table table;        /* by the destination's names */
	struct buf *seeds[SEED_KINDS];  /* full batches of seeds; NULL: not made yet */
	struct list links, lanes, sinks, fillers;
	struct list opening_queue, opening_waiting;
	struct op opening_op;
	struct timer opening_timer, tick_timer, publish_timer;
	int n_rounds;
	_Atomic int64_t lease_boot_ns;
	_Atomic int64_t claim;          /* the claim number that fills are fenced with */
	struct claims claims_left;      /* of lanes that are gone */
	struct mirror_counts *counts;   /* likewise, and of the clusters; the caller's, or own_counts */
	struct mirror_counts own_counts;
	bool stopping;
	int64_t stop_at_ns;
	struct post stop_post;
	int64_t local_contact_wall_ms;

	pthread_mutex_t snapshot_lock;
	struct mirror_snapshot *snapshot;
	int64_t published_ns;
	uint64_t changes, changes_told;
};

/* ---- mirror.c ---- */
/* To be called after every event that may have changed a lane: reopens it when it is in doubt and quiet, unbinds it
 * when it failed, frees it when it is closing and quiet, has changes published. The lane may be gone afterwards. */
void mirror_lane_settle(struct mirror_lane *ml);
void mirror_lane_fail(struct mirror_lane *ml, enum lane_reason reason, const char *fmt, ...)
	__attribute__((format(printf, 3, 4)));
bool mirror_has_lease(const struct mirror *mirror);
/* There may be something to append: tells the sink or the filler. */
void mirror_lane_ready(struct mirror_lane *ml);
/* Something of the lane was answered or left: fetches and appends what may be now, and settles. The lane may be gone
 * afterwards. */
void mirror_lane_go_on(struct mirror_lane *ml);
/* Drops what waits to be appended; it is fetched again. */
void mirror_lane_give_back(struct mirror_lane *ml);
/* Something of the lane was appended. */
void mirror_lane_progress(struct mirror_lane *ml);
enum { NO_ANSWER = INT16_MIN };  /* no Kafka code: the connection was lost, or the answer lacks the partition */
/* An append of the lane failed with code: whether it goes on beside the lanes that wait for replicas. */
void mirror_lane_trouble(struct mirror_lane *ml, int16_t code);
/* Asks the control side to record the next rotation of the filler id. */
void mirror_lane_want_rotation(struct mirror_lane *ml);

/* ---- snapshot.c ---- */
/* What is told as the lane's state: short fills, which come with every transaction, are part of COPYING. */
enum lane_state snapshot_state(const struct mirror_lane *ml);
/* What was counted of the partition, with what was before this lane. */
void snapshot_counts(const struct mirror_lane *ml, struct lane_counts *counts);
int64_t snapshot_thread_cpu_ns(void);
/* Publishes soon: at most every 50 ms. */
void snapshot_soon(struct mirror *mirror);
void snapshot_publish(struct mirror *mirror);

/* ---- opening.c ---- */
/* Begins to open a lane that is PROBING, after a pause that grows with its failures. */
void opening_start(struct mirror_lane *ml);
/* Takes it out; calls under way are forgotten when they come (opening.round stays set until then). */
void opening_stop(struct mirror_lane *ml);
void opening_init(struct mirror *mirror);

/* ---- source.c ---- */
void source_bind(struct mirror_lane *ml);
void source_unbind(struct mirror_lane *ml);
/* Its position or its room changed. */
void source_touch(struct mirror_lane *ml);
struct fetched_partition;
/* Offers every whole batch of an answer to the lane (source_batches.c). */
void source_take_records(struct mirror_lane *ml, struct buf *frame, const struct fetched_partition *p);
/* Closes all connections; the link has no lanes. */
void source_close(struct mirror_link *link);
/* Its connection, or NULL. */
const struct broker *source_broker(const struct mirror_lane *ml);
/* When the source last answered for it (wall ms): a fetch session is silent of a partition without news. 0: never. */
int64_t source_answered_wall_ms(const struct mirror_lane *ml);
/* How long nothing has come of what should be there to be read, though the source answers; 0 when that is not so. */
int64_t source_nothing_ns(const struct mirror_lane *ml);
/* Watches fetches that are late. */
void source_tick(struct mirror_link *link, int64_t now);

/* ---- sink.c ---- */
void sink_bind(struct mirror_lane *ml);
/* Only with nothing in flight. */
void sink_unbind(struct mirror_lane *ml);
/* Its connection, or NULL. */
const struct broker *sink_broker(const struct mirror_lane *ml);
/* There may be something to send. */
void sink_ready(struct mirror_lane *ml);
void sink_close_all(struct mirror *mirror);
/* The lane's leader changed: answers that its connection owes are waited for a moment only. */
void sink_stale(struct mirror_lane *ml);
void sink_tick(struct mirror *mirror, int64_t now);

/* ---- filler.c ---- */
void filler_bind(struct mirror_lane *ml);
/* Only with nothing in flight. */
void filler_unbind(struct mirror_lane *ml);
/* There may be something to fill. */
void filler_ready(struct mirror_lane *ml);
void filler_close_all(struct mirror *mirror);
void filler_tick(struct mirror *mirror, int64_t now);

/* ---- seeder.c ---- */
/* The destination took no batch of so many seeds or tombstones. */
void seeder_smaller(struct mirror_lane *ml, int32_t n);
/* The next tombstones are made, where those are to be appended next. */
void seeder_tombstones(struct mirror_lane *ml);
/* The lane was aligned with a seed plan. */
void seeder_begin(struct mirror_lane *ml);
/* Something of the lane was appended or dropped. */
void seeder_feed(struct mirror_lane *ml);
/* The control log says so. */
void seeder_recorded(struct mirror_lane *ml, int64_t from, int64_t to);
/* The log starts there now. */
void seeder_trimmed(struct mirror_lane *ml, int64_t log_start);
void seeder_fini(struct mirror *m);
static inline bool mirror_lane_seeds(const struct mirror_lane *ml)
{
	return ml->seed.to >= 0 && ml->lane.state == LANE_FILLING;
}
/* All seeds stand in the log: they are to be deleted. */
static inline bool mirror_lane_seeded(const struct mirror_lane *ml)
{
	return mirror_lane_seeds(ml) && ml->seed.recorded && ml->lane.acked >= ml->seed.to;
}

/* ---- metadata.c ---- */
void source_metadata(struct cluster_watch *watch, const struct err *err);
void sink_metadata(struct cluster_watch *watch, const struct err *err);
