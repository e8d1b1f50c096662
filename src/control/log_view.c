/* SPDX-License-Identifier: Apache-2.0 */
#include "control/log_view.h"

#include "base/mem.h"
#include "control/seal.h"
#include "wire/batch.h"

#include <string.h>

static void record_free(struct control_record *r)
{
	xfree(r->key);
	xfree(r->name);
	xfree(r->topic);
	json_decref(r->value);
	xfree(r);
}

void log_view_reset(struct log_view *view)
{
	for (int i = 0; i < view->n; i++)
		record_free(view->items[i]);
	view->n = 0;
	view->position = -1;
	view->foreign = 0;
}

void log_view_fini(struct log_view *view)
{
	log_view_reset(view);
	xfree(view->items);
	*view = (struct log_view){ .position = -1 };
}

/* Where a key is, or would be. */
static int place(const struct log_view *view, const char *key, bool *found)
{
	int lo = 0, hi = view->n;

	*found = false;
	while (lo < hi) {
		int mid = lo + (hi - lo) / 2, c = strcmp(view->items[mid]->key, key);

		if (c == 0) {
			*found = true;
			return mid;
		}
		if (c < 0)
			lo = mid + 1;
		else
			hi = mid;
	}
	return lo;
}

const struct control_record *log_view_get(const struct log_view *view, const char *key)
{
	bool found;
	int i = place(view, key, &found);

	return found ? view->items[i] : NULL;
}

const struct control_record *log_view_next(const struct log_view *view, enum record_kind kind,
					   const struct control_record *after)
{
	bool found;
	int i = after == NULL ? 0 : place(view, after->key, &found) + 1;

	for (; i < view->n; i++)
		if (view->items[i]->kind == kind)
			return view->items[i];
	return NULL;
}

static void put(struct log_view *view, struct control_record *r)
{
	bool found;
	int i = place(view, r->key, &found);

	if (found) {
		record_free(view->items[i]);
	} else {
		view->items = xrealloc(view->items, (size_t)view->n + 1, sizeof(*view->items));
		memmove(&view->items[i + 1], &view->items[i], (size_t)(view->n - i) * sizeof(*view->items));
		view->n++;
	}
	view->items[i] = r;
}

static void drop(struct log_view *view, const char *key)
{
	bool found;
	int i = place(view, key, &found);

	if (!found)
		return;
	record_free(view->items[i]);
	view->n--;
	memmove(&view->items[i], &view->items[i + 1], (size_t)(view->n - i) * sizeof(*view->items));
}

/* --- what counts as ours ------------------------------------------------------------------------------------- */

/* Whether a value is what its kind must be; one of a newer version is kept, so that it can be told. */
static bool value_holds(const struct control_record *r)
{
	struct link_wish link;
	struct mirror_wish mirror;
	struct link_state link_state;
	struct mirror_state mirror_state;
	struct claim claim;
	struct sync_record sync;
	struct link_pause pause;
	struct worker_record worker;
	struct err err;
	int rc = RC_PROTO;

	switch (r->kind) {
	case RECORD_LINK:
		rc = link_wish_decode(&link, r->name, r->value, &err);
		link_wish_fini(&link);
		break;
	case RECORD_MIRROR:
		rc = mirror_wish_decode(&mirror, r->name, r->topic, r->value, &err);
		mirror_wish_fini(&mirror);
		break;
	case RECORD_LINK_STATE:
		rc = link_state_decode(&link_state, r->name, r->value, &err);
		link_state_fini(&link_state);
		break;
	case RECORD_MIRROR_STATE:
		rc = mirror_state_decode(&mirror_state, r->name, r->topic, r->value, &err);
		mirror_state_fini(&mirror_state);
		break;
	case RECORD_CLAIM:
		rc = claim_decode(&claim, r->name, r->value, &err);
		claim_fini(&claim);
		break;
	case RECORD_WORKER:
		rc = worker_record_decode(&worker, r->name, r->value, &err);
		worker_record_fini(&worker);
		break;
	case RECORD_SYNC:
		rc = sync_record_decode(&sync, r->name, r->value, &err);
		sync_record_fini(&sync);
		break;
	case RECORD_PAUSE:
		rc = link_pause_decode(&pause, r->name, r->value, &err);
		link_pause_fini(&pause);
		break;
	case RECORD_FOREIGN:
		break;
	}
	return rc == RC_OK || rc == RC_UNSUPPORTED;
}

static bool misplaced(const struct control_record *r)
{
	return r->kind == RECORD_LINK && link_misplaced(r->value, r->offset);
}

static bool has(const struct control_record *r, const char *field)
{
	const json_t *value = json_object_get(r->value, field);

	return value != NULL && !json_is_null(value);
}

/* An older record of a link, written again behind a better one: it has another place, or had none when links had none.
 * Where there is no better one, compacted away, it is kept, and link_unseal says what it is. */
static bool is_copy(struct log_view *view, const struct control_record *r)
{
	struct control_record *better;
	bool found;
	int i = place(view, r->key, &found);

	if (r->kind != RECORD_LINK || !found || misplaced(view->items[i]))
		return false;
	better = view->items[i];
	if (!misplaced(r) && !(has(better, "at") && has(r, "mac") && !has(r, "at")))
		return false;
	better->copy_offset = r->offset;
	better->copy_ms = r->time_ms;
	return true;
}

static void look_for_append(struct log_view *view, const struct control_record *r)
{
	struct log_append *a = view->append;

	if (a == NULL)
		return;
	for (int i = 0; i < a->n_ids; i++) {
		if (r->append_id[0] == '\0' || strcmp(a->ids[i], r->append_id) != 0)
			continue;
		/* Somebody wrote past krmirror just before: what was signed for another place is to be decided again. */
		if (misplaced(r)) {
			a->ids[i][0] = '\0';
			a->landed &= a->landed_id != i;
			continue;
		}
		a->landed = true;
		a->landed_id = i;
	}
	if (a->first_key != NULL && r->offset == a->base && r->value == NULL && strcmp(r->key, a->first_key) == 0)
		a->landed = true;
}

/* A removal, or a value of ours; false: foreign, or a copy. Takes what it needs of r. */
static bool take_value(struct log_view *view, struct control_record *r, struct bytes value)
{
	const char *id;

	if (value.len < 0) {
		look_for_append(view, r);
		drop(view, r->key);
		record_free(r);
		return true;
	}
	r->value = json_loadb((const char *)value.data, (size_t)value.len, JSON_REJECT_DUPLICATES, NULL);
	if (r->value == NULL || !value_holds(r)) {
		record_free(r);
		return false;
	}
	id = json_string_value(json_object_get(r->value, "append_id"));
	if (id != NULL && strlen(id) == APPEND_ID_LEN)
		memcpy(r->append_id, id, APPEND_ID_LEN + 1);
	look_for_append(view, r);
	if (is_copy(view, r)) {
		record_free(r);
		return false;
	}
	put(view, r);
	return true;
}

static bool take_record(struct log_view *view, const struct batch_header *b, const struct record *rec)
{
	struct control_record *r;
	char *name, *topic;
	enum record_kind kind;

	if (rec->key.len <= 0)
		return false;
	kind = record_key_parse((const char *)rec->key.data, (size_t)rec->key.len, &name, &topic);
	if (kind == RECORD_FOREIGN)
		return false;
	r = xcalloc(1, sizeof(*r));
	r->key = xstrndup((const char *)rec->key.data, (size_t)rec->key.len);
	r->kind = kind;
	r->name = name;
	r->topic = topic;
	r->offset = b->base_offset + rec->offset_delta;
	r->time_ms = b->base_timestamp + rec->timestamp_delta;
	r->copy_offset = r->copy_ms = -1;
	return take_value(view, r, rec->value);
}

/* --- batches ------------------------------------------------------------------------------------------------- */

static void take_batch(struct log_view *view, const struct batch_header *b)
{
	struct reader r;
	struct record rec;

	if (b->attributes & BATCH_CONTROL)
		return;
	if (b->attributes & BATCH_CODEC || !batch_crc_ok(b)) {
		view->foreign += MAX(b->count, 1);
		return;
	}
	batch_records(b, &r);
	while (record_next(&r, &rec) == BATCH_OK)
		if (b->base_offset + rec.offset_delta >= view->position && !take_record(view, b, &rec))
			view->foreign++;
}

void log_view_take(struct log_view *view, const uint8_t *data, int32_t len)
{
	struct reader r = { .p = data, .end = data + len };
	struct batch_header b;
	enum batch_next next;

	while ((next = batch_next(&r, &b)) == BATCH_OK) {
		int64_t end = b.base_offset + (b.magic == 2 ? b.last_delta : 0) + 1;

		if (end <= view->position)
			continue;
		if (b.magic == 2)
			take_batch(view, &b);
		else
			view->foreign++;
		view->position = end;
	}
	/* What cannot be a batch is stepped over by one offset; the next fetch begins behind it. */
	if (next == BATCH_BAD) {
		view->foreign++;
		view->position = MAX(view->position, b.base_offset) + 1;
	}
}
