/* SPDX-License-Identifier: Apache-2.0 */
/* What new metadata of either side means for lanes: leaders that moved, topics that are gone or other ones. */
#include "base/clock.h"
#include "base/log.h"
#include "mirror/mirror_priv.h"
#include "wire/msg/fetch.h"
#include "wire/msg/kerr_codes.h"

enum {
	MISSING_MS = 10000,        /* a topic that metadata does not know for so long is gone */
	VERSION_LAST_EPOCH = 12,   /* of Fetch */
};

/* Whether metadata has not known the topic for so long that it is gone. *since_ns: since when; 0: it knows it. */
static bool is_gone(const struct topic_meta *t, int64_t *since_ns, int64_t now)
{
	if (t->error == 0)
		*since_ns = 0;
	if (t->error != KERR_UNKNOWN_TOPIC_OR_PARTITION)
		return false;
	if (*since_ns == 0)
		*since_ns = now;
	return now - *since_ns > MISSING_MS * NS_PER_MS;
}

/* ---- the source ---- */

static void check_source_topic(struct mirror_lane *ml, const struct topic_meta *t, int64_t now)
{
	if (is_gone(t, &ml->opening.missing_since_ns[0], now)) {
		mirror_lane_fail(ml, REASON_SOURCE_TOPIC_MAY_BE_DELETED, "source: topic %s does not exist any more",
				 ml->source_topic_name);
		return;
	}
	if (t->error == KERR_TOPIC_AUTHORIZATION_FAILED) {
		mirror_lane_fail(ml, REASON_AUTHORIZATION, "source: DESCRIBE on topic %s is not granted",
				 ml->source_topic_name);
		return;
	}
	if (t->error != 0)
		return;
	if (!uuid_is_zero(&ml->spec.source_topic_id) && !uuid_eq(&t->id, &ml->spec.source_topic_id))
		mirror_lane_fail(ml, REASON_SOURCE_TOPIC_ID_CHANGED,
				 "source: topic %s was deleted and created again", ml->source_topic_name);
	else if (ml->partition >= t->n_partitions)
		mirror_lane_fail(ml, REASON_SOURCE_PARTITIONS_DECREASED, "source: topic %s has only %d partitions",
				 ml->source_topic_name, t->n_partitions);
}

/* From Fetch v12 on (2.7) last_fetched_epoch has the broker tell a truncation by itself. */
static bool detects_truncation(const struct broker *broker)
{
	return broker_version(broker, &fetch_api) >= VERSION_LAST_EPOCH || !broker_is_ready(broker);
}

static void follow_leader(struct mirror_lane *ml)
{
	int32_t leader, epoch;

	/* A lane that is seeded is fed by the seeder alone, until it is opened again. */
	if (!lane_is_open(&ml->lane) || ml->seed.to >= 0 ||
	    !cluster_leader(ml->link->source, ml->source_topic_name, ml->partition, &leader, &epoch))
		return;
	if (ml->source.fetcher != NULL && ml->source.leader_epoch != epoch && !detects_truncation(source_broker(ml))) {
		lane_cast_doubt(&ml->lane);  /* opening asks OffsetForLeaderEpoch */
	} else if (ml->source.fetcher == NULL || ml->source.leader != leader) {
		source_bind(ml);
	} else if (ml->source.leader_epoch != epoch) {
		ml->source.leader_epoch = epoch;
		ml->source.quiet_until_ns = 0;
		source_touch(ml);
	}
}

static void fail_lanes(struct mirror_link *link, enum lane_reason reason, const char *text)
{
	struct list *pos, *tmp;

	list_each_safe(pos, tmp, &link->mirror->lanes) {
		struct mirror_lane *ml = list_entry(pos, struct mirror_lane, node);

		if (ml->link != link || ml->closing)
			continue;
		mirror_lane_fail(ml, reason, "%s", text);
		mirror_lane_settle(ml);
	}
}

static void link_refused(struct mirror_link *link, const struct err *err)
{
	snprintf(link->error, sizeof(link->error), "%.255s", err->text);
	snapshot_soon(link->mirror);
	if (err->rc == RC_REFUSED) {
		link->failed = REASON_SOURCE_CLUSTER_ID_CHANGED;
		fail_lanes(link, REASON_SOURCE_CLUSTER_ID_CHANGED, err->text);
	}
}

void source_metadata(struct cluster_watch *watch, const struct err *err)
{
	struct mirror_link *link = container_of(watch, struct mirror_link, watch);
	int64_t now = loop_now(link->mirror->loop);
	struct list *pos, *tmp;

	if (err != NULL) {
		link_refused(link, err);
		return;
	}
	link->contact_wall_ms = clock_wall_ms();
	list_each_safe(pos, tmp, &link->mirror->lanes) {
		struct mirror_lane *ml = list_entry(pos, struct mirror_lane, node);
		const struct topic_meta *t;

		if (ml->link != link || ml->closing)
			continue;
		t = cluster_topic(link->source, ml->source_topic_name);
		if (t == NULL || !t->known)
			continue;
		check_source_topic(ml, t, now);
		follow_leader(ml);
		mirror_lane_settle(ml);
	}
}

/* ---- the destination ---- */

static void check_local_topic(struct mirror_lane *ml, const struct topic_meta *t, int64_t now)
{
	if (is_gone(t, &ml->opening.missing_since_ns[1], now)) {
		mirror_lane_fail(ml, REASON_DESTINATION_TOPIC_DELETED, "destination: topic %s does not exist any more",
				 ml->topic);
		return;
	}
	if (t->error != 0)
		return;
	if (!uuid_is_zero(&ml->spec.destination_topic_id) && !uuid_eq(&t->id, &ml->spec.destination_topic_id))
		mirror_lane_fail(ml, REASON_DESTINATION_TOPIC_ID_CHANGED,
				 "destination: topic %s was deleted and created again", ml->topic);
}

/* A lane is bound to (leader, leader epoch): any change of either is doubt. */
static void check_leader(struct mirror_lane *ml)
{
	int32_t leader = -1, epoch = -1;

	if (!lane_is_open(&ml->lane))
		return;
	if (!cluster_leader(ml->mirror->destination, ml->topic, ml->partition, &leader, &epoch) ||
	    (leader == ml->sink.leader && epoch == ml->sink.leader_epoch))
		return;
	log_debug(ml->subject, "the destination's leader changed", "from=%d/%d to=%d/%d", ml->sink.leader,
		  ml->sink.leader_epoch, leader, epoch);
	lane_cast_doubt(&ml->lane);
	sink_stale(ml);
}

void sink_metadata(struct cluster_watch *watch, const struct err *err)
{
	struct mirror *m = container_of(watch, struct mirror, watch);
	int64_t now = loop_now(m->loop);
	struct list *pos, *tmp;

	if (err != NULL)
		return;
	m->local_contact_wall_ms = clock_wall_ms();
	list_each_safe(pos, tmp, &m->lanes) {
		struct mirror_lane *ml = list_entry(pos, struct mirror_lane, node);
		const struct topic_meta *t = cluster_topic(m->destination, ml->topic);

		if (ml->closing || t == NULL || !t->known)
			continue;
		ml->under_replicated = ml->partition < t->n_partitions &&
			t->partitions[ml->partition].n_isr < t->partitions[ml->partition].n_replicas;
		check_local_topic(ml, t, now);
		check_leader(ml);
		mirror_lane_settle(ml);
	}
}
