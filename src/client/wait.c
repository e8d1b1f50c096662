/* SPDX-License-Identifier: Apache-2.0 */
#include "client/wait.h"

#include "base/clock.h"
#include "wire/kerr.h"
#include "wire/msg/kerr_codes.h"

enum { SETTLE_MS = 3000, RETRY_MS = 100 };

static void note_done(struct call *call)
{
	*(bool *)call->owner = true;
}

int call_wait(struct cluster *cluster, int32_t node_id, struct call *call, struct err *err)
{
	struct loop *loop = cluster_loop(cluster);
	bool done = false;

	call->done = note_done;
	call->owner = &done;
	broker_call(cluster_broker(cluster, node_id), call);
	while (!done)
		loop_step(loop, INT64_MAX);
	if (call->rc != RC_OK)
		*err = call->err;
	return call->rc;
}

struct metadata_wait {
	struct cluster_watch watch;
	bool came, failed;
	struct err err;
};

static void metadata_came(struct cluster_watch *watch, const struct err *err)
{
	struct metadata_wait *w = container_of(watch, struct metadata_wait, watch);

	w->came = err == NULL;
	w->failed = err != NULL;
	if (err != NULL)
		w->err = *err;
}

void loop_wait_until(struct loop *loop, int64_t at_ns)
{
	while (clock_mono_ns() < at_ns)
		loop_step(loop, at_ns);
}

/* One refresh; with two answers when one was under way already, because that may not know the topic yet. */
static int refresh_once(struct cluster *cluster, int64_t deadline_ns, struct err *err)
{
	struct metadata_wait w = { .watch.changed = metadata_came };
	struct loop *loop = cluster_loop(cluster);

	cluster_watch(cluster, &w.watch);
	cluster_refresh(cluster);
	while (!w.came && !w.failed && clock_mono_ns() < deadline_ns)
		loop_step(loop, deadline_ns);
	cluster_unwatch(&w.watch);
	if (w.came)
		return RC_OK;
	if (w.failed) {
		*err = w.err;
		return err->rc;
	}
	return err_set(err, RC_TIMEOUT, "%s: no metadata in time", cluster_options(cluster)->side);
}

int cluster_wait_metadata(struct cluster *cluster, const char *topic, int64_t deadline_ns, struct err *err)
{
	const struct topic_meta *t = topic != NULL ? cluster_track(cluster, topic) : NULL;
	int rc;

	do
		rc = refresh_once(cluster, deadline_ns, err);
	while (rc == RC_OK && t != NULL && !t->known);
	if (t != NULL && rc != RC_OK)
		cluster_untrack(cluster, topic);
	return rc;
}

static bool leader_of(const struct topic_meta *t, int32_t partition, int32_t *node, int32_t *epoch)
{
	const struct partition_meta *p;

	if (t->error != 0 || partition >= t->n_partitions)
		return false;
	p = &t->partitions[partition];
	if (p->leader < 0 || p->error == KERR_LEADER_NOT_AVAILABLE)
		return false;
	*node = p->leader;
	*epoch = p->leader_epoch;
	return true;
}

int cluster_wait_leader(struct cluster *cluster, const char *topic, int32_t partition, int64_t deadline_ns,
			int32_t *node, int32_t *epoch, struct err *err)
{
	const struct topic_meta *t = cluster_track(cluster, topic);
	int64_t settled = clock_mono_ns() + SETTLE_MS * NS_PER_MS;
	int rc = RC_OK;

	while (!t->known || !leader_of(t, partition, node, epoch)) {
		rc = cluster_wait_metadata(cluster, NULL, deadline_ns, err);
		if (rc != RC_OK || leader_of(t, partition, node, epoch))
			break;
		if (t->known && t->error == KERR_UNKNOWN_TOPIC_OR_PARTITION && clock_mono_ns() > settled) {
			rc = err_set(err, RC_NOT_FOUND, "%s: topic %s does not exist", cluster_options(cluster)->side,
				     topic);
			break;
		}
		if (clock_mono_ns() >= deadline_ns) {
			rc = err_set(err, RC_TIMEOUT, "%s: %s-%d has no leader (%s)", cluster_options(cluster)->side,
				     topic, partition, kerr_name(t->error));
			break;
		}
		loop_wait_until(cluster_loop(cluster), clock_mono_ns() + RETRY_MS * NS_PER_MS);
	}
	cluster_untrack(cluster, topic);
	return rc;
}

static void note_gone(void *owner)
{
	*(bool *)owner = true;
}

void cluster_destroy_wait(struct cluster *cluster)
{
	struct loop *loop = cluster_loop(cluster);
	bool gone = false;

	cluster_destroy(cluster, note_gone, &gone);
	while (!gone)
		loop_step(loop, INT64_MAX);
}
