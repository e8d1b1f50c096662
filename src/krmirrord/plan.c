/* SPDX-License-Identifier: Apache-2.0 */
#include "krmirrord/plan.h"

bool plan_stops(const struct plan_mirror *mirror)
{
	return mirror->created && !mirror->upgrade_needed && !mirror->stopped && mirror->wish != WISH_MIRROR &&
	       mirror->wish_offset != mirror->refused_wish;
}

/* A promotion does not stop the lanes: they run until the source and the destination stand at the same end. Only the
 * closing of the door does, and what ends with it. */
enum plan_want plan_want(const struct plan_link *link, const struct plan_mirror *mirror)
{
	if (!mirror->created || mirror->upgrade_needed)
		return WANT_NOTHING;
	if (mirror->stopped || mirror->closing || mirror->wish == WISH_FAILOVER)
		return WANT_STOPPED;
	if (!link->known || link->failed)
		return link->another_cluster ? WANT_FAILED : WANT_NOTHING;
	if (link->paused || mirror->paused)
		return WANT_PAUSED;
	return WANT_COPY;
}

enum mirror_status plan_status(const struct plan_link *link, const struct plan_mirror *mirror)
{
	if (mirror->stopped)
		return MIRROR_STOPPED;
	if (mirror->closing || plan_stops(mirror))
		return MIRROR_PENDING_STOPPED;
	if (!link->known || link->failed)
		return MIRROR_LINK_FAILED;
	if (mirror->paused)
		return MIRROR_PAUSED;
	if (link->paused)
		return MIRROR_LINK_PAUSED;
	if (link->unavailable)
		return MIRROR_SOURCE_UNAVAILABLE;
	if (mirror->n_lanes > 0 && mirror->n_failed == mirror->n_lanes)
		return MIRROR_FAILED;
	return MIRROR_ACTIVE;
}

enum link_state_kind plan_link_state(const struct plan_link *link)
{
	if (!link->known || link->failed)
		return LINK_FAILED;
	if (link->paused)
		return LINK_PAUSED;
	return link->unavailable ? LINK_UNAVAILABLE : LINK_ACTIVE;
}

static bool may_hold(const struct plan_claim *claim, const struct lane_key *key)
{
	for (int j = 0; j < claim->n_shares; j++)
		if (share_owns(&claim->shares[j], claim->worker, key->link, key->topic, key->partition))
			return true;
	return false;
}

enum plan_other plan_other(const struct plan_claim *claims, int n, const struct plan_me *me,
			   const struct lane_key *key)
{
	enum plan_other other = OTHER_NONE;

	for (int i = 0; i < n; i++) {
		const struct plan_claim *claim = &claims[i];

		if (claim->released || strcmp(claim->worker, me->worker) == 0 || !may_hold(claim, key))
			continue;
		if (claim->n > me->claim_n)
			return OTHER_NEWER;
		other = OTHER_OLDER;
	}
	return other;
}

/* A failure that only `mirror resume` ends outlives the worker that saw it: the lane is not opened again, because a
 * check at opening need not find what was found before (a foreign record lies below the tail by then). */
static bool may_open(const struct plan_lane *lane)
{
	return !lane->reported_failed || lane->resumes > lane->resumes_at;
}

enum plan_action plan_lane(const struct plan_lane *lane, const struct plan_times *times, int64_t *again_ns)
{
	*again_ns = INT64_MAX;
	if (lane->held == HELD_CLOSING)
		return DO_NOTHING;
	if (!lane->mine || lane->want != WANT_COPY)
		return lane->held == HELD_OPEN ? DO_CLOSE : DO_NOTHING;
	if (lane->held == HELD_OPEN)
		return lane->failed && lane->resumes > lane->resumes_at ? DO_REOPEN : DO_NOTHING;
	if (!may_open(lane))
		return DO_NOTHING;
	/* Its claim stands until it writes another, or the leader releases it. */
	if (lane->other == OTHER_NEWER)
		return DO_NOTHING;
	if (lane->other == OTHER_OLDER && times->now_ns < lane->gained_ns + times->takeover_ns) {
		*again_ns = lane->gained_ns + times->takeover_ns;
		return DO_WAIT;
	}
	return DO_OPEN;
}
