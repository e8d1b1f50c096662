/* SPDX-License-Identifier: Apache-2.0 */
/* What the HTTP thread may know: a page, made by the control thread once a second and never changed afterwards, and the
 * board that it hangs on. Whoever takes a page holds a reference until it gives it back; the lock of the board is held
 * for a pointer's time. */
#pragma once

#include "control/record.h"
#include "control/task.h"
#include "krmirrord/drills.h"
#include "krmirrord/ledger.h"
#include "krmirrord/model.h"
#include "krmirrord/verifies.h"
#include "mirror/mirror.h"

#include <pthread.h>
#include <stdatomic.h>

struct worker;

struct page_partition {
	bool mine;                       /* this worker's, or nobody can copy it */
	enum lane_state state;
	enum lane_reason reason;
	char *error;                     /* NULL: none */
	struct lane_transaction transaction;
	const struct lane_status *lane;  /* in one of the page's snapshots; NULL: no lane is open here */
};

struct page_mirror {
	char *link, *topic, *source_topic;
	enum mirror_status status;
	int64_t status_time_ms;
	int32_t n_partitions, n_failed;  /* failed: whoever has them */
	struct page_partition *partitions;
};

/* Of sync tasks, where this worker leads. -1: not known, or not asked for. */
struct tasks_told {
	int64_t good_wall_ms[TASK_KINDS];   /* when the last run that went well ended */
	int64_t groups[GROUP_STATES];
};

struct page_link {
	char *name;
	enum link_state_kind state;
	bool inbound;
	char *error, *error_message;     /* NULL: none */
	int64_t contact_wall_ms;         /* 0: never */
	enum task_state tasks[TASK_KINDS];   /* where this worker leads */
	struct tasks_told told;              /* likewise */
	struct tally tally;                  /* what this worker did */
	int64_t stale_ms;                /* what was learned of the source so long ago is not known any more */
};

struct page_worker {
	char *id, *version, *address;    /* address NULL: none is recorded */
	bool live;
};

struct page {
	atomic_int refs_;
	int64_t published_ns;            /* monotonic */
	int64_t started_ms;
	int64_t destination_contact_wall_ms;   /* of the control thread; 0: never */
	char *worker_id, *host, *address, *engine, *engine_why, *destination, *control_topic;
	char not_ready[200];             /* why; "": it is ready */
	bool leader, by_partition;
	int32_t n_members;               /* of the group, by the newest assignment; 0: none yet */
	int64_t foreign;                 /* records of the control log that are not krmirror's; -1: it was not read */
	uint64_t task_errors[TASK_CODES];
	struct drills drills;
	struct verifies verifies;
	struct page_link *links;
	struct page_mirror *mirrors;
	struct page_worker *workers;
	struct mirror_snapshot **loops;
	int n_links, n_mirrors, n_workers, n_loops;
	struct client_counts control;    /* of the control thread's calls to the destination */
};

struct board {
	/* private */
	pthread_mutex_t lock_;
	struct page *page_;
};

void board_init(struct board *board);
void board_fini(struct board *board);
/* Takes over the page, in place of the one that hung there. */
void board_publish(struct board *board, struct page *page);
/* The newest page, to be given back with page_unref; NULL: none was published. From any thread. */
struct page *board_take(struct board *board);
/* NULL is allowed. */
void page_unref(struct page *page);

/* What the worker knows now. On the control thread. */
struct page *page_make(struct worker *worker);
/* The counters of a topic's partitions, those without a lane too. */
struct lane_counts page_topic_counts(const struct page *page, const struct page_mirror *mirror);

/* What is known of a lane now; -1: not known. */
struct page_lag {
	int64_t records, stable_records;   /* to the source's high watermark, and to its last stable offset */
	int64_t lag_ms;                    /* since the destination had all that was stable at the source */
	int64_t rpo_ms;                    /* the age of the oldest record that is not appended */
	int64_t fetch_ms, append_ms;       /* since the last answer of the source, and of the destination */
};
void page_lag(const struct page *page, const struct page_mirror *mirror, int32_t partition, int64_t wall_ms,
	      struct page_lag *lag);
/* NULL: there is none of that name. */
const struct page_link *page_link_of(const struct page *page, const char *name);
