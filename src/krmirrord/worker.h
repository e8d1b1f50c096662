/* SPDX-License-Identifier: Apache-2.0 */
/* The worker: its control thread. One sequential task runs at a time (worker_run); while it waits for an answer the
 * loop runs, and with it the callbacks of the group and of source metadata, which only set flags, post to the data
 * loops and close lanes that an assignment took away. Heartbeats therefore never wait for a task. */
#pragma once

#include "client/group.h"
#include "control/session.h"
#include "krmirrord/ledger.h"
#include "krmirrord/model.h"
#include "krmirrord/page.h"
#include "krmirrord/signals.h"

/* The text of an error and, where there is one, its hint, as pairs of a log line: "error=" ERR_PAIRS, ERR_ARGS(err). Quoted
 * as by LOG_Q. */
#define ERR_PAIRS "\002%s%s%s\003"
#define ERR_ARGS(e) (e).text, (e).hint[0] != '\0' ? "\003 hint=\002" : "", (e).hint

/* How a run of the worker ended. */
enum worker_end {
	WORKER_GOES_ON,
	WORKER_STOPPED,      /* SIGTERM or SIGINT */
	WORKER_RELOAD,       /* SIGHUP, and the configuration differs */
	WORKER_FAILED,       /* a data loop could not be made */
	WORKER_FENCED        /* another process has this worker.id */
};

/* The membership, written by callbacks of the group. */
struct member {
	struct group *group;
	struct share next;           /* of the newest assignment */
	int32_t generation;          /* -1: none yet */
	int64_t assigned_ns;         /* when it came; monotonic */
	bool leader;
	bool applied;                /* next was claimed and taken as share */
	int64_t lease_boot_ns;
	bool lapsed;                 /* the lease ran out (or never was): the log is read before it is given to lanes */
	bool fenced, left;
	bool trouble;                /* told that the coordinator does not answer */
	struct err fenced_err;

	/* sequential code */
	struct share share;          /* what lanes are opened by */
	int64_t share_ns;            /* the assigned_ns of it */
	int64_t claim_n;
};

struct worker {
	const struct conf *conf;
	/* SIGHUP: reads the files again. True when they say something else than conf, and can be used. */
	bool (*reload)(struct worker *worker);
	void *owner;
	struct notes *notes;         /* of the configuration: logged, and emptied, after the first line */
	char host[256];
	struct ledger *ledger;       /* outlives the worker */
	struct loop *loop;
	struct session session;
	struct mirror **mirrors;     /* one per data loop */
	int n_mirrors;
	struct model model;
	int n_sources;               /* clusters of links that are not gone yet */
	struct member member;
	_Atomic bool lanes_changed;  /* set by data loops */
	bool plan_wanted;            /* something changed that lanes_apply must see */
	int64_t again_ns;            /* when lanes_apply must look again by itself */
	int64_t snapshot_ns;         /* of the last one */
	int64_t states_ns;           /* when states were written last */
	int64_t states_retry_ns;
	int64_t transactions_ns;     /* when transactions_look looks again */
	int64_t limits_ns;           /* when limits_work looks again */
	int64_t trims_ns;            /* when trims_work looks again */
	int64_t guards_ns;           /* when guards_work looks again */
	bool guards_tried;           /* what was forbidden was tried once by this process */
	bool trims_trouble;          /* records could not be deleted; told once */
	bool log_trouble;            /* the log cannot be read or written; told once */
	struct signals signals;
	bool told_first;             /* the first log line is out */

	/* publish.c */
	struct drills drills;        /* both as they were told at reports_ns */
	struct verifies verifies;
	int64_t reports_ns;
	struct board board;
	struct http *http;           /* NULL: off, or its address cannot be had */
	struct timer publish_timer;
	int64_t http_retry_ns;
	bool http_trouble;           /* told once */
};

/* Makes the loop and the data loops. On failure worker_close is still to be called. */
int worker_open(struct worker *worker, struct err *err) MUST_USE;
/* Connects and reads the control log once: --check. */
enum outcome worker_check(struct worker *worker, struct err *err) MUST_USE;
/* Runs until it ends. Before it returns lanes are closed and, but for WORKER_RELOAD and WORKER_FENCED, the group is
 * left. */
enum worker_end worker_run(struct worker *worker);
/* After worker_open, whatever came of it. */
void worker_close(struct worker *worker);
/* The monotonic time so many ms from now. */
int64_t worker_deadline(int64_t ms);
/* Takes pending signals; true when one asks for an end (SIGTERM, SIGINT). */
bool worker_asked_to_stop(struct worker *worker);
/* Runs the loop for so long, less when asked to stop. */
void worker_pause(struct worker *worker, int64_t ms);
/* Tells once that the control log does not answer, and once that it does again (err NULL). */
void worker_log_trouble(struct worker *worker, const char *what, const struct err *err);

/* ---- publish.c ---- */

/* Serves http.listener from here on, as far as the address can be had. */
void publish_start(struct worker *worker);
/* No page is made, and none is read, after it. */
void publish_stop(struct worker *worker);

/* ---- changes.c ---- */

/* Logs what has another state than when it was told last. */
void changes_tell(struct worker *worker);

/* ---- member.c ---- */

void member_start(struct worker *worker);
/* Claims and takes over a new assignment. False when the log did not answer: to be tried again. */
bool member_apply(struct worker *worker);
/* Whether this worker is to do now what one of the group does: it leads it, by an assignment and a lease that are its own. */
bool member_leads(const struct worker *worker);
/* A lane cannot use the claim number again: appends another claim. */
void member_claim_again(struct worker *worker);
/* After the log was read and lanes_apply ran: lets the lanes have the lease again. */
void member_resume_lease(struct worker *worker, int64_t lease_boot_ns);
/* After so long nobody acts on a heartbeat that was his last one: those that hold a claim may have another
 * session.timeout.ms than this worker. */
int32_t worker_lease_ms(const struct worker *worker);
/* Releases the claim and leaves the group, waiting a session timeout at most. */
void member_leave(struct worker *worker);
void member_end(struct worker *worker);

/* ---- links.c ---- */

/* Opens, replaces and closes links at the data loops and their source clusters, and follows the source topics. */
void links_apply(struct worker *worker);
/* The availability of the sources, from their clusters. True when a link's plan changed. */
bool links_check(struct worker *worker);
/* What is wrong with a link, for its record and /status: a word, and *why has the sentence; both NULL: nothing. */
const char *links_error(const struct link_row *row, const struct err **why);
/* Closes links of which no lane is left. */
void links_close(struct worker *worker);
void links_end(struct worker *worker);
/* NULL: the source has not told yet. */
const struct topic_meta *links_source_topic(const struct mirror_row *row);
/* How often its metadata is asked for, and so contact is made at least. */
int64_t links_metadata_age_ms(const struct link_row *row);
/* The source has fewer partitions than were mirrored, and is the same topic. */
bool links_source_short(const struct mirror_row *row, int32_t partition);

/* ---- lanes.c ---- */

/* Which lanes are mine under the member's share. */
void lanes_assign(struct worker *worker);
/* Group callback: takes away what the new share does not give, and asks for its closing. */
void lanes_lose(struct worker *worker, const struct share *share);
/* After a lapse of the lease, with the log read: closes the lanes that another worker has claimed since; they are
 * opened again like lanes that were just gained. */
void lanes_doubt(struct worker *worker);
/* Opens and closes lanes as the plan says. */
void lanes_apply(struct worker *worker);
/* Takes in what the data loops published. */
void lanes_look(struct worker *worker);
/* After the data loops were given a link's new settings: they close its lanes, and these are opened again. */
void lanes_reopen(struct worker *worker, const struct link_row *link);
/* Closes all lanes of a mirror (row NULL: of all) and waits until they are gone; false: not all by the deadline. */
bool lanes_close(struct worker *worker, struct mirror_row *row, int64_t deadline_ns);
/* True when a lane waits for another claim number. */
bool lanes_need_claim(const struct worker *worker);
/* True when a lane is open or closing that an assignment took away. */
bool lanes_losing(const struct worker *worker);
void lanes_set_lease(struct worker *worker, int64_t until_boot_ns);
/* Tell the data loop of a lane: mirror_lane_may_empty, mirror_lane_trimmed. */
void lane_may_empty(struct worker *worker, struct mirror_row *row, int32_t partition, int64_t end);
void lane_trimmed(struct worker *worker, struct mirror_row *row, int32_t partition, int64_t log_start);
/* Where the mirror's partition begins at least, as chosen at its creation; 0. */
int64_t lane_start_offset(const struct mirror_row *row, int32_t partition);

/* ---- rates.c ---- */

/* Tells each data loop its share of the links' rate limits. */
void rates_apply(struct worker *worker);

/* ---- transactions.c ---- */

/* Names open transactions of the source, for /status. */
void transactions_look(struct worker *worker);

/* ---- limits.c ---- */

/* Raises max.message.bytes of topics that do not take what their source takes. */
void limits_work(struct worker *worker);

/* ---- trims.c ---- */

/* Deletes records of this worker's lanes below the start of the source's log, and seeds that are all there. */
void trims_work(struct worker *worker);

/* ---- copies.c ---- */

/* Tells of older records of links that were written again; as leader: writes the good ones behind them. */
void copies_work(struct worker *worker);

/* ---- pins.c ---- */

/* As leader: records which cluster the source is of links that were recorded without asking. */
void pins_work(struct worker *worker);

/* ---- guards.c ---- */

/* As leader: keeps mirror topics read-only. */
void guards_work(struct worker *worker);

/* ---- entries.c ---- */

/* Whether the entry of a partition that is this worker's is to be written. */
bool entry_due(const struct mirror_row *row, int32_t partition);
/* Says there what this worker knows of it now; nothing, where the partition is not its own. */
void entry_update(const struct worker *worker, const struct mirror_row *row, int32_t partition,
		  struct mirror_state *state);

/* What this worker would say of it there, or, where it is another's, what stands there. */
struct entry_now {
	enum lane_state state;
	enum lane_reason reason;
	char error[256];
};
void entry_now(const struct mirror_row *row, int32_t partition, struct entry_now *now);

/* ---- states.c ---- */

/* Writes what changed: entries of this worker's lanes, and as leader the states of links and mirrors. */
void states_write(struct worker *worker);

/* ---- leader.c ---- */

/* What the group's leader does for all: promotions, partitions that were added, claims of the dead. */
void leader_work(struct worker *worker);
