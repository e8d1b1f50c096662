/* SPDX-License-Identifier: Apache-2.0 */
/* state/LINK and state/LINK/TOPIC: what is. Every worker writes the entries of its own lanes, the group's leader also the
 * status of mirrors and links; several records go in one compare-and-append, only what changed, on transitions and once
 * a minute while offsets move. The decision is taken anew from the log's view whenever another writer was first. */
#include "krmirrord/worker.h"

#include "base/clock.h"
#include "base/log.h"
#include "base/mem.h"

enum {
	SPACING_MS = 300,            /* between two writes: transitions come in swarms */
	OFFSETS_MS = 60000,
	RETRY_MS = 2000,
	DEADLINE_MS = 10000,
	/* Of one batch: an entry is some 300 bytes, and the log takes 4 MiB. */
	ENTRIES_MAX = 5000
};

/* ---- one entry ---- */

static bool same_text(const char *a, const char *b)
{
	return a == NULL || b == NULL ? a == b : strcmp(a, b) == 0;
}

/* What the entry of a lane should say; false: what it says stands. */
struct entry_news {
	const char *state, *reason, *error;
	int64_t since_ms, offset, source_end;
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
		.source_end = lane->source_end, .resumes = lane->resumes_at, .rotation = lane->rotation_wanted,
		.txn_filler_id = lane->txn_filler_wanted, .fills_by_transactions = lane->fills_by_transactions,
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
		.since_ms = clock_wall_ms(), .offset = row->lanes[partition].offset, .source_end = -1, .epoch = -1,
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
	return entry == NULL || !same_text(entry->state, news->state) || !same_text(entry->reason, news->reason) ||
	       !same_text(entry->error, news->error) || !same_text(entry->lost, news->lost) || entry->rotation < news->rotation || seed_due(news, entry) ||
	       entry->fills_by_transactions != news->fills_by_transactions ||
	       (news->txn_filler_id >= 0 && entry->txn_filler_id != news->txn_filler_id);
}

static bool offsets_due(const struct lane_row *lane, const struct entry_news *news, const struct partition_state *entry)
{
	if (news->offset < 0 || (entry->offset == news->offset && entry->epoch == news->epoch))
		return false;
	return lane->written_ns == 0 || clock_mono_ns() - lane->written_ns >= OFFSETS_MS * NS_PER_MS;
}

static bool entry_due(const struct mirror_row *row, int32_t partition)
{
	const struct partition_state *entry = mirror_state_find(&row->mirror_state, partition);
	struct entry_news news;

	return news_of(row, partition, entry, &news) &&
	       (transition(&news, entry) || offsets_due(&row->lanes[partition], &news, entry));
}

static void entry_write(const struct worker *worker, const struct entry_news *news, struct partition_state *entry)
{
	if (!same_text(entry->state, news->state) || !same_text(entry->reason, news->reason) || entry->since_ms < 0)
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
	if (news->source_end >= 0)
		entry->source_end = news->source_end;
	entry->fills_by_transactions = news->fills_by_transactions;
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

/* ---- one mirror ---- */

static bool status_due(const struct worker *worker, const struct mirror_row *row)
{
	const struct link_row *link = row->link_row;
	static const struct plan_link unknown = { 0 };

	if (!worker->member.leader || !row->readable || !row->wish.created ||
	    row->mirror_state.status == MIRROR_STOPPED)
		return false;
	return row->mirror_state.seen != row->wish_offset || row->state_offset < 0 ||
	       row->mirror_state.status != plan_status(link != NULL ? &link->plan : &unknown, &row->plan);
}

static int entries_due(const struct mirror_row *row)
{
	int n = 0;

	for (int32_t p = 0; p < row->n_lanes; p++)
		n += entry_due(row, p);
	return n;
}

static bool mirror_due(const struct worker *worker, const struct mirror_row *row)
{
	return row->present && row->readable && (status_due(worker, row) || entries_due(row) > 0);
}

static void status_write(const struct mirror_row *row, struct mirror_state *state)
{
	static const struct plan_link unknown = { 0 };
	enum mirror_status status = plan_status(row->link_row != NULL ? &row->link_row->plan : &unknown, &row->plan);

	if (state->status == MIRROR_STOPPED)
		return;
	if (state->status != status || state->since_ms <= 0)
		state->since_ms = clock_wall_ms();
	state->status = status;
	state->seen = row->wish_offset;
}

/* From the newest record of the view, which may be newer than the row. */
static void put_mirror(struct worker *worker, struct control_log *log, struct control_batch *batch,
		       const struct mirror_row *row)
{
	struct mirror_state state;
	struct entry_news news;
	struct err err;
	char *key;

	if (control_log_mirror_offset(log, row->link, row->topic) != row->wish_offset)
		return;   /* the wish changed: model_update first */
	if (control_log_mirror_state(log, row->link, row->topic, &state, &err) == RC_OK) {
		for (int32_t p = 0; p < row->n_lanes; p++)
			if (news_of(row, p, mirror_state_find(&state, p), &news))
				entry_write(worker, &news, mirror_state_partition(&state, p));
		if (worker->member.leader)
			status_write(row, &state);
		key = record_key_mirror_state(row->link, row->topic);
		control_batch_put(batch, key, mirror_state_encode(&state));
		xfree(key);
	}
	mirror_state_fini(&state);
}

/* ---- links ---- */

static const char *link_error(const struct link_row *row)
{
	switch (plan_link_state(&row->plan)) {
	case LINK_FAILED:
		return row->error_word;
	case LINK_UNAVAILABLE:
		return "SOURCE_UNAVAILABLE";
	case LINK_ACTIVE:
	case LINK_PAUSED:
		break;
	}
	return NULL;
}

static bool link_due(const struct worker *worker, const struct link_row *row, const struct link_state *state)
{
	return worker->member.leader && row->present &&
	       (state->state != plan_link_state(&row->plan) || state->seen != row->offset ||
		!same_text(state->error, link_error(row)));
}

static void link_write(const struct link_row *row, struct link_state *state)
{
	enum link_state_kind kind = plan_link_state(&row->plan);
	const struct err *err = kind == LINK_UNAVAILABLE ? &row->source_error : &row->error;

	if (state->state != kind || state->since_ms <= 0)
		state->since_ms = clock_wall_ms();
	state->state = kind;
	state->seen = row->offset;
	state->last_contact_ms = row->contact_wall_ms > 0 ? row->contact_wall_ms : -1;
	record_set(&state->error, link_error(row));
	record_set(&state->error_message, state->error != NULL ? err->text : NULL);
}

static bool link_writes(struct worker *worker, struct control_log *log, struct control_batch *batch,
			const struct link_row *row)
{
	struct link_state state;
	struct err err;
	bool due = false;
	char *key;

	if (control_log_link_offset(log, row->name) == row->offset &&
	    control_log_link_state(log, row->name, &state, &err) == RC_OK) {
		due = link_due(worker, row, &state);
		if (due && batch != NULL) {
			link_write(row, &state);
			key = record_key_link_state(row->name);
			control_batch_put(batch, key, link_state_encode(&state));
			xfree(key);
		}
		link_state_fini(&state);
	}
	return due;
}

/* ---- all ---- */

static bool anything_due(struct worker *worker)
{
	for (int i = 0; i < worker->model.n_mirrors; i++)
		if (mirror_due(worker, worker->model.mirrors[i]))
			return true;
	for (int i = 0; worker->member.leader && i < worker->model.n_links; i++)
		if (link_writes(worker, worker->session.log, NULL, worker->model.links[i]))
			return true;
	return false;
}

static enum outcome decide(struct control_log *log, struct control_batch *batch, void *arg, struct err *err)
{
	struct worker *worker = arg;
	int32_t entries = 0;

	(void)err;
	for (int i = 0; worker->member.leader && i < worker->model.n_links; i++)
		link_writes(worker, log, batch, worker->model.links[i]);
	for (int i = 0; i < worker->model.n_mirrors && entries < ENTRIES_MAX; i++) {
		if (!mirror_due(worker, worker->model.mirrors[i]))
			continue;
		put_mirror(worker, log, batch, worker->model.mirrors[i]);
		entries += worker->model.mirrors[i]->n_lanes;
	}
	return OUTCOME_DONE;
}

static void note_written(struct worker *worker, int64_t began_ns)
{
	for (int i = 0; i < worker->model.n_mirrors; i++) {
		struct mirror_row *row = worker->model.mirrors[i];
		const struct partition_state *entry;

		for (int32_t p = 0; p < row->n_lanes; p++) {
			entry = mirror_state_find(&row->mirror_state, p);
			if (entry != NULL && entry->offset >= 0 && entry->offset == row->lanes[p].offset)
				row->lanes[p].written_ns = began_ns;
		}
	}
}

void states_write(struct worker *worker)
{
	int64_t now = clock_mono_ns();
	struct err err;

	if (now < worker->states_ns + SPACING_MS * NS_PER_MS || now < worker->states_retry_ns ||
	    !worker->member.applied || worker->member.lapsed || !anything_due(worker))
		return;
	worker->states_ns = now;
	if (control_log_update(worker->session.log, decide, worker, worker_deadline(DEADLINE_MS), NULL, &err) !=
	    OUTCOME_DONE) {
		worker->states_retry_ns = worker_deadline(RETRY_MS);
		worker_log_trouble(worker, "states could not be written", &err);
		return;
	}
	worker_log_trouble(worker, NULL, NULL);
	worker->plan_wanted |= model_update(&worker->model, worker->session.log);
	note_written(worker, now);
}
