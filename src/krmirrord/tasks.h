/* SPDX-License-Identifier: Apache-2.0 */
/* The sync tasks: what the group's leader does for each link again and again. One row per task in tasks.c; a run is
 * sequential code with a deadline. Runs of one link never hold up another's for long: what takes its time rests as
 * long as it took, and what fails by silence rests ten times that. */
#pragma once

#include "control/group_plan.h"
#include "control/task.h"
#include "krmirrord/worker.h"

struct task_run {
	struct worker *worker;       /* worker->session.deadline_ns is deadline_ns */
	struct link_row *link;       /* usable, neither paused nor failed nor unavailable; stays until the run returns */
	struct cluster *source;      /* has answered at least once; its id was checked */
	int64_t deadline_ns;
	struct task_errors *errors;  /* to be added to; none: the run went well */
	/* What the task knows of this link between runs; NULL at first. Forgotten with task->forget when the link goes
	 * or another worker leads: then it is not known any more what others did meanwhile. */
	void **data;
	bool more;                   /* set by the run: it is to go on in the next round; its errors are told at the end, and
	                              * the period counts from the start of the first */
	json_t *groups;              /* set by the run: what state/LINK is to say besides, a new reference; NULL: nothing */
	bool told_groups;            /* set by the run: n_groups, by enum group_state, is what there is */
	int n_groups[GROUP_STATES];
	bool silent;                 /* set by the run: a cluster did not answer, and the link's tasks are to rest */
};

struct task {
	enum task_kind kind;
	int32_t deadline_ms;
	void (*run)(struct task_run *run);   /* NULL: this version does not do it; told as NOT_CONFIGURED */
	void (*forget)(void *data);          /* NULL: there is none */
};

/* Adds err, and says whether it was silence. */
void task_failed(struct task_run *run, const struct err *err);

/* What is kept per link. */
struct link_tasks;
void link_tasks_free(struct link_tasks *tasks);
/* The settings of the link are new: what waits for its time is due. */
void tasks_renew(struct link_row *row);
/* How long until a run is due, at most most_ms. */
int32_t tasks_wait_ms(struct worker *worker, int32_t most_ms);
/* As leader: runs what is due, until a share of the round is used up. */
void tasks_work(struct worker *worker);
/* The states, where this worker leads. */
void tasks_states(const struct link_row *row, enum task_state states[TASK_KINDS]);
/* Likewise. */
void tasks_tell(const struct link_row *row, struct tasks_told *told);
/* What state/LINK should say of the tasks (a new reference), where this worker leads; was: what it says, or NULL. */
json_t *tasks_json(struct link_row *row, const json_t *was);
