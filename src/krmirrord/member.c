/* SPDX-License-Identifier: Apache-2.0 */
/* The worker as a member of the group.
 *
 * Happy path:
 *   assigned (callback)     lanes that the new share does not give are closed at once; the rest stays
 *   member_apply            waits for them to be gone, appends the claim with the new share, takes it over
 *   lease (callback)        given on to the data loops
 *
 * Failure modes:
 *  - The lanes that were lost are not gone within two seconds (an append in flight to a broker that does not answer): the
 *    claim names the old share too, and whoever got them waits as if this worker had died.
 *  - The lease ran out (the process or the machine slept, the coordinator was away): lanes stay without one until the
 *    control log was read to its end and acted on: a door may have been closed meanwhile, or another worker have
 *    claimed the lane.
 *  - Fenced: nothing of this process may go on; worker_run ends. */
#include "krmirrord/worker.h"

#include "base/clock.h"
#include "base/log.h"
#include "base/mem.h"
#include "client/wait.h"
#include "krmirrord/claims.h"

#include <unistd.h>

enum { CLOSE_WAIT_MS = 2000, CLAIM_DEADLINE_MS = 10000, LEASE_GRACE_MS = 1000 };

/* ---- callbacks of the group: flags, and lanes closed ---- */

static void on_share(void *owner, struct group_member *members, int n, struct arena *arena)
{
	struct str *ids = arena_new(arena, struct str, n + 1);
	struct share share;
	struct bytes bytes;
	uint8_t *data, *copy;
	int32_t len;

	(void)owner;
	for (int i = 0; i < n; i++)
		ids[i] = members[i].instance_id.len > 0 ? members[i].instance_id : members[i].member_id;
	share_init(&share, ids, n);
	share_encode(&share, &data, &len);
	copy = arena_alloc(arena, (size_t)len);
	memcpy(copy, data, (size_t)len);
	xfree(data);
	share_fini(&share);
	bytes = (struct bytes){ copy, len };
	for (int i = 0; i < n; i++)
		members[i].assignment = bytes;
}

static void on_assigned(void *owner, int32_t generation, struct bytes assignment)
{
	struct worker *worker = owner;
	struct member *member = &worker->member;
	struct share share;

	if (!share_decode(assignment, &share))
		log_error("group", "the leader's assignment cannot be read; this worker takes no lanes",
			  "bytes=%d", assignment.len);
	member->leader = group_is_leader(member->group);
	member->generation = generation;
	member->assigned_ns = clock_mono_ns();
	share_fini(&member->next);
	member->next = share;
	member->applied = false;
	lanes_lose(worker, &member->next);
}

static void on_lease(void *owner, int64_t until_boot_ns)
{
	struct worker *worker = owner;
	struct member *member = &worker->member;

	if (clock_boot_ns() >= member->lease_boot_ns && !member->lapsed) {
		member->lapsed = true;
		log_warn("group", "the lease had run out; the control log is read before lanes go on", "worker=%s",
			 worker->conf->worker_id);
	}
	member->lease_boot_ns = until_boot_ns;
	if (!member->lapsed)
		lanes_set_lease(worker, until_boot_ns);
}

static void on_trouble(void *owner, const struct err *err)
{
	struct worker *worker = owner;

	if (err == NULL)
		log_info("group", "the coordinator answers again", "group=%s", worker->conf->group_id);
	else
		log_at(worker->member.trouble ? LOG_DEBUG : LOG_WARN, "group",
		       "no membership; lanes stop when the lease ends, trying again", "group=%s error=" ERR_PAIRS,
		       worker->conf->group_id, ERR_ARGS(*err));
	worker->member.trouble = err != NULL;
}

static void on_fenced(void *owner, const struct err *err)
{
	struct worker *worker = owner;

	worker->member.fenced = true;
	worker->member.fenced_err = *err;
	lanes_set_lease(worker, 0);
}

static void on_left(void *owner)
{
	struct worker *worker = owner;

	worker->member.left = true;
}

static const struct group_ops ops = {
	.share = on_share, .assigned = on_assigned, .lease = on_lease, .trouble = on_trouble, .fenced = on_fenced,
	.left = on_left,
};

/* ---- sequential ---- */

void member_start(struct worker *worker)
{
	struct member_card card = { .pid = getpid() };
	struct group_opts opts = {
		.group_id = worker->conf->group_id, .instance_id = worker->conf->worker_id, .protocol = "share",
		.session_timeout_ms = worker->conf->session_timeout_ms, .pool = worker->session.pool,
	};
	uint8_t *data;
	int32_t len;

	snprintf(card.host, sizeof(card.host), "%s", worker->host);
	snprintf(card.version, sizeof(card.version), "%s", PACKAGE_VERSION);
	member_card_encode(&card, &data, &len);
	opts.metadata = (struct bytes){ data, len };
	worker->member = (struct member){ .generation = -1, .lapsed = true, .lease_boot_ns = INT64_MAX };
	worker->member.group = group_create(worker->session.destination, &opts, &ops, worker);
	xfree(data);
}

static bool append_claim(struct worker *worker, const struct share *shares, int n)
{
	struct claim_wish wish = {
		.worker = worker->conf->worker_id, .host = worker->host, .version = PACKAGE_VERSION,
		.address = worker->conf->http_advertised_listener, .started_ms = worker->ledger->started_ms,
		.session_timeout_ms = worker->conf->session_timeout_ms, .shares = shares, .n_shares = n,
	};
	struct err err;

	if (claims_append(worker->session.log, &wish, worker_deadline(CLAIM_DEADLINE_MS), &worker->member.claim_n,
			  &err) != OUTCOME_DONE) {
		worker_log_trouble(worker, "no claim could be written", &err);
		return false;
	}
	worker_log_trouble(worker, NULL, NULL);
	for (int i = 0; i < worker->n_mirrors; i++)
		mirror_set_claim(worker->mirrors[i], worker->member.claim_n);
	return true;
}

bool member_apply(struct worker *worker)
{
	struct member *member = &worker->member;
	int32_t generation = member->generation;
	struct share shares[CLAIM_SHARES];
	int64_t deadline = worker_deadline(CLOSE_WAIT_MS), assigned_ns = member->assigned_ns;
	bool ok;

	while (lanes_losing(worker) && clock_mono_ns() < deadline && member->generation == generation) {
		loop_wait_until(worker->loop, worker_deadline(10));
		lanes_look(worker);
	}
	if (member->generation != generation)
		return true;   /* and member_apply again */
	share_copy(&shares[0], &member->next);
	share_copy(&shares[1], &member->share);
	ok = append_claim(worker, shares, lanes_losing(worker) && member->share.n > 0 ? 2 : 1);
	share_fini(&shares[1]);
	if (!ok || member->generation != generation) {
		share_fini(&shares[0]);
		return ok;
	}
	log_info("worker", "takes its part", "generation=%d workers=%d claim=%lld", generation, shares[0].n,
		 (long long)member->claim_n);
	share_fini(&member->share);
	member->share = shares[0];
	member->share_ns = assigned_ns;
	member->applied = true;
	lanes_assign(worker);
	worker->plan_wanted = true;
	return true;
}

void member_claim_again(struct worker *worker)
{
	struct member *member = &worker->member;

	/* While lanes are being lost, the standing claim names the share that they came with. */
	if (!member->applied || member->lapsed || lanes_losing(worker) || !lanes_need_claim(worker))
		return;
	if (append_claim(worker, &member->share, 1))
		log_info("worker", "claims anew: an earlier claim may still be under way", "claim=%lld",
			 (long long)member->claim_n);
}

void member_resume_lease(struct worker *worker, int64_t lease_boot_ns)
{
	struct member *member = &worker->member;

	/* The lease that was there before the log was read: if that one is over too, the log is read again. */
	if (!member->lapsed || clock_boot_ns() >= lease_boot_ns || member->fenced)
		return;
	member->lapsed = false;
	lanes_set_lease(worker, member->lease_boot_ns);
}

bool member_leads(const struct worker *worker)
{
	return worker->member.leader && worker->member.applied && !worker->member.lapsed;
}

int32_t worker_lease_ms(const struct worker *worker)
{
	return MAX(worker->conf->session_timeout_ms, worker->model.session_ms) + LEASE_GRACE_MS;
}

void member_leave(struct worker *worker)
{
	struct member *member = &worker->member;
	struct err err;
	int64_t deadline = worker_deadline(worker->conf->session_timeout_ms);

	if (member->claim_n > 0 && !lanes_losing(worker) &&
	    claims_release(worker->session.log, worker->conf->worker_id, member->claim_n,
			   worker_deadline(worker->conf->session_timeout_ms / 2), &err) != OUTCOME_DONE)
		log_warn("worker", "its claim is not released; whoever takes over waits", "error=" LOG_Q, err.text);
	group_leave(member->group);
	while (!member->left && !member->fenced && clock_mono_ns() < deadline)
		loop_step(worker->loop, deadline);
}

void member_end(struct worker *worker)
{
	group_destroy(worker->member.group);
	worker->member.group = NULL;
	share_fini(&worker->member.next);
	share_fini(&worker->member.share);
}
