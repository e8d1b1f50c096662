/* SPDX-License-Identifier: Apache-2.0 */
/* What the entry of one partition in state/LINK/TOPIC says, from the worker that has its lane. */
#include "krmirrord/worker.h"

#include "base/clock.h"
#include "base/mem.h"

enum { THROTTLED_MS = 10000,      /* so long a lane counts as throttled: it must not be written every second */
	OFFSETS_MS = 60000, TOMBSTONES_MS = 5000 };   /* between two writes of offsets alone, of a count */

/* What the entry of a lane should say; false: what it says stands. */
struct entry_news {
	const char *state, *reason, *error;
	int64_t since_ms, offset, source_end, source_end_ms;
	int32_t epoch;
	int64_t resumes;
	const char *lost;        /* a loss of data that stands; NULL: none */
	int64_t lost_resumes;
	char text[160];          /* a sentence that is made here */
	int32_t rotation;        /* of the filler id, at least */
	int64_t seed_from, seed_to;  /* -1: as it is */
	bool seed_over;          /* nothing is seeded any more */
	int64_t emptied_end;     /* -1: as it is */
	int64_t txn_filler_id;   /* -1: as it is */
	bool fills_by_transactions;
	int64_t tombstones;      /* at least */
	bool throttled;
};

/* Seeding is recorded before it begins, and over when the lane copies. */
static void news_of_seed(const struct lane_row *lane, struct entry_news *news)
{
	news->seed_from = lane->seed_from;
	news->seed_to = lane->seed_to;
	news->seed_over = lane->seed_to < 0 && lane->state == LANE_COPYING;
	news->emptied_end = lane->emptying;
}

/* A loss of data stands until somebody has resumed since, whatever else happens to the partition meanwhile. */
static bool loss_stands(const struct mirror_row *row, const struct partition_state *entry)
{
	return entry != NULL && entry->lost != NULL && entry->lost_resumes >= row->wish.resumes;
}

/* It is recorded together with the seeding that closes the hole. */
static bool loss_is_new(const struct lane_row *lane, const struct partition_state *entry)
{
	return lane->seed_lost && lane->seed_to >= 0 &&
	       (entry == NULL || entry->seed_from != lane->seed_from || entry->seed_to != lane->seed_to);
}

static void news_of_loss(const struct mirror_row *row, const struct lane_row *lane,
			 const struct partition_state *entry, struct entry_news *news)
{
	if (loss_is_new(lane, entry)) {
		snprintf(news->text, sizeof(news->text),
			 "the source has lost offsets %lld to %lld: they are no records here; "
			 "`krmirror mirror resume` acknowledges it", (long long)lane->seed_from,
			 (long long)lane->seed_to - 1);
		news->lost = news->text;
		news->lost_resumes = row->wish.resumes;
	} else if (loss_stands(row, entry)) {
		news->lost = entry->lost;
		news->lost_resumes = entry->lost_resumes;
	}
	if (news->lost == NULL || news->reason != NULL)
		return;
	news->reason = lane_reason_name(REASON_DATA_LOSS);
	news->error = news->lost;
}

static bool news_of_open(const struct mirror_row *row, const struct lane_row *lane,
			 const struct partition_state *entry, struct entry_news *news)
{
	if (!lane->seen)
		return false;
	*news = (struct entry_news){
		.state = lane_state_name(lane->state), .reason = lane_reason_name(lane->reason), .error = lane->error,
		.since_ms = lane->since_ms, .offset = lane->offset, .epoch = lane->epoch,
		.source_end = lane->source_end, .source_end_ms = lane->source_end_ms,
		.resumes = lane->resumes_at, .rotation = lane->rotation_wanted,
		.txn_filler_id = lane->txn_filler_wanted, .fills_by_transactions = lane->fills_by_transactions,
		.tombstones = lane->tombstones_before + lane->tombstones,
		.throttled = lane->held_ns != 0 && clock_mono_ns() - lane->held_ns < THROTTLED_MS * NS_PER_MS,
	};
	news_of_seed(lane, news);
	news_of_loss(row, lane, entry, news);
	/* Likewise a failure that only resume ends. */
	if (news->reason == NULL && entry != NULL && entry_stands(row, entry)) {
		news->reason = entry->reason;
		news->error = entry->error;
		news->resumes = entry_resumes(entry);
	}
	return true;
}

/* The link failed for a reason that is a partition's too: its name leads to another cluster. */
static bool link_failed_for_good(const struct link_row *link)
{
	return link != NULL && link->plan.failed && lane_reason_parse(link->error_word) != REASON_NONE;
}

static bool news_of_closed(const struct mirror_row *row, int32_t partition, const struct partition_state *entry,
			   struct entry_news *news)
{
	*news = (struct entry_news){
		.since_ms = clock_wall_ms(), .offset = row->lanes[partition].offset, .epoch = -1,
		.source_end = row->lanes[partition].source_end, .source_end_ms = row->lanes[partition].source_end_ms,
		.resumes = row->wish.resumes, .txn_filler_id = -1,
		.seed_from = -1, .seed_to = -1, .emptied_end = -1,
	};
	if (news->offset >= 0)
		news->epoch = row->lanes[partition].epoch;
	if (row->want == WANT_STOPPED) {
		news->state = lane_state_name(LANE_STOPPED);
		return true;
	}
	if (entry != NULL && entry_stands(row, entry) && lane_state_parse(entry->state) == LANE_FAILED)
		return false;
	if (row->want == WANT_FAILED) {
		news->state = lane_state_name(LANE_FAILED);
		news->reason = lane_reason_name(REASON_SOURCE_CLUSTER_ID_CHANGED);
		news->error = row->link_row->error.text;
		return true;
	}
	if (links_source_short(row, partition)) {
		news->state = lane_state_name(LANE_FAILED);
		news->reason = lane_reason_name(REASON_SOURCE_PARTITIONS_DECREASED);
		news->error = "the source topic has fewer partitions than were mirrored";
		return true;
	}
	if (link_failed_for_good(row->link_row)) {
		news->state = lane_state_name(LANE_FAILED);
		news->reason = row->link_row->error_word;
		news->error = row->link_row->error.text;
		return true;
	}
	news->state = lane_state_name(LANE_PAUSED);
	news_of_loss(row, &row->lanes[partition], entry, news);
	return row->want == WANT_PAUSED;
}

static bool news_of(const struct mirror_row *row, int32_t partition, const struct partition_state *entry,
		    struct entry_news *news)
{
	const struct lane_row *lane = &row->lanes[partition];

	switch (lane->held) {
	case HELD_OPEN:
		return lane->mine && news_of_open(row, lane, entry, news);
	case HELD_CLOSING:
		return false;
	case HELD_NOT:
		return (lane->mine || links_source_short(row, partition)) &&
		       news_of_closed(row, partition, entry, news);
	}
	return false;
}

static bool seed_due(const struct entry_news *news, const struct partition_state *entry)
{
	return (news->seed_to >= 0 && (entry->seed_to != news->seed_to || entry->seed_from != news->seed_from)) ||
	       (news->seed_over && entry->seed_to >= 0) ||
	       (news->emptied_end >= 0 && entry->emptied_end != news->emptied_end);
}

static bool transition(const struct entry_news *news, const struct partition_state *entry)
{
	return entry == NULL || !text_eq(entry->state, news->state) || !text_eq(entry->reason, news->reason) ||
	       !text_eq(entry->error, news->error) || !text_eq(entry->lost, news->lost) ||
	       entry->rotation < news->rotation || seed_due(news, entry) ||
	       entry->fills_by_transactions != news->fills_by_transactions || entry->throttled != news->throttled ||
	       (news->txn_filler_id >= 0 && entry->txn_filler_id != news->txn_filler_id);
}

static bool offsets_due(const struct lane_row *lane, const struct entry_news *news,
			const struct partition_state *entry)
{
	bool moved = news->source_end >= 0 && entry->source_end != news->source_end;

	/* A failover without the source tells from it what is missing. */
	if (moved && entry->source_end < 0)
		return true;
	if (news->offset < 0 || (entry->offset == news->offset && entry->epoch == news->epoch && !moved))
		return false;
	return lane->written_ns == 0 || clock_mono_ns() - lane->written_ns >= OFFSETS_MS * NS_PER_MS;
}

static bool tombstones_due(const struct lane_row *lane, const struct entry_news *news,
			   const struct partition_state *entry)
{
	return news->tombstones > entry->tombstones &&
	       (lane->written_ns == 0 || clock_mono_ns() - lane->written_ns >= TOMBSTONES_MS * NS_PER_MS);
}

bool entry_due(const struct mirror_row *row, int32_t partition)
{
	const struct partition_state *entry = mirror_state_find(&row->mirror_state, partition);
	struct entry_news news;

	return news_of(row, partition, entry, &news) &&
	       (transition(&news, entry) || offsets_due(&row->lanes[partition], &news, entry) ||
		tombstones_due(&row->lanes[partition], &news, entry));
}

static void entry_write(const struct worker *worker, const struct entry_news *news, struct partition_state *entry)
{
	if (!text_eq(entry->state, news->state) || !text_eq(entry->reason, news->reason) || entry->since_ms < 0)
		entry->since_ms = news->since_ms;
	record_set(&entry->state, news->state);
	record_set(&entry->reason, news->reason);
	record_set(&entry->error, news->error);
	record_set(&entry->worker, worker->conf->worker_id);
	record_set(&entry->lost, news->lost);
	entry->lost_resumes = news->lost != NULL ? news->lost_resumes : -1;
	if (news->offset >= 0) {
		entry->offset = news->offset;
		entry->epoch = news->epoch;
		entry->time_ms = clock_wall_ms();
	}
	if (news->source_end >= 0 && news->source_end_ms >= entry->source_end_ms) {
		entry->source_end = news->source_end;
		entry->source_end_ms = news->source_end_ms > 0 ? news->source_end_ms : -1;
	}
	entry->fills_by_transactions = news->fills_by_transactions;
	entry->throttled = news->throttled;
	entry->tombstones = MAX(entry->tombstones, news->tombstones);
	entry->rotation = MAX(entry->rotation, news->rotation);
	if (news->emptied_end >= 0)
		entry->emptied_end = news->emptied_end;
	if (news->seed_over && entry->seed_to >= 0) {
		entry->emptied_end = MAX(entry->emptied_end, entry->seed_to);
		entry->seed_from = entry->seed_to = -1;
	}
	if (news->seed_to >= 0) {
		entry->seed_from = news->seed_from;
		entry->seed_to = news->seed_to;
	}
	if (news->txn_filler_id >= 0 && news->txn_filler_id != entry->txn_filler_id) {
		entry->txn_filler_before = entry->txn_filler_id;
		entry->txn_filler_id = news->txn_filler_id;
	}
	entry_set_resumes(entry, news->resumes);
}

void entry_update(const struct worker *worker, const struct mirror_row *row, int32_t partition,
		  struct mirror_state *state)
{
	struct entry_news news;

	if (news_of(row, partition, mirror_state_find(state, partition), &news))
		entry_write(worker, &news, mirror_state_partition(state, partition));
}

void entry_now(const struct mirror_row *row, int32_t partition, struct entry_now *now)
{
	const struct partition_state *entry = mirror_state_find(&row->mirror_state, partition);
	struct entry_news news;

	*now = (struct entry_now){ .state = LANE_UNBOUND };
	if (!news_of(row, partition, entry, &news)) {
		if (entry == NULL)
			return;
		news = (struct entry_news){ .state = entry->state, .reason = entry->reason, .error = entry->error };
	}
	now->state = news.state != NULL ? lane_state_parse(news.state) : LANE_UNBOUND;
	now->reason = news.reason != NULL ? lane_reason_parse(news.reason) : REASON_NONE;
	snprintf(now->error, sizeof(now->error), "%s", news.error != NULL ? news.error : "");
}
