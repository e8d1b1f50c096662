/* SPDX-License-Identifier: Apache-2.0 */
#include "fake_log.h"

#include "base/mem.h"

#include <endian.h>
#include <stdlib.h>
#include <string.h>

static int32_t record_count(struct bytes batch)
{
	struct reader r = { .p = batch.data, .end = batch.data + batch.len };
	struct batch_header b;

	CHECK(batch_next(&r, &b) == BATCH_OK);
	return b.count;
}

/* The base offset is not under the CRC. */
static void store(struct fake_log *fake, struct bytes batch, int32_t sequence)
{
	uint8_t *copy = arena_alloc(&fake->arena, (size_t)batch.len);
	int64_t base = (int64_t)htobe64((uint64_t)fake->end);
	int32_t n = record_count(batch);

	CHECK(fake->n < FAKE_BATCHES);
	memcpy(copy, batch.data, (size_t)batch.len);
	memcpy(copy, &base, sizeof(base));
	fake->batches[fake->n] = (struct bytes){ copy, batch.len };
	fake->bases[fake->n++] = fake->end;
	fake->end += n;
	fake->range_from = sequence;
	fake->last_sequence = sequence + n - 1;
	fake->missing = false;
}

static struct bytes build(struct fake_log *fake, const struct control_batch *batch, int32_t sequence)
{
	struct batch_record *records = arena_new(&fake->arena, struct batch_record, batch->n);
	struct batch_draft draft = { .records = records, .n = batch->n, .timestamp = 1,
				     .stamp = { control_log_producer_id, 0, sequence } };

	for (int i = 0; i < batch->n; i++) {
		char *text = batch->items[i].value == NULL ? NULL : json_dumps(batch->items[i].value, 0);
		const char *key = arena_strndup(&fake->arena, batch->items[i].key, strlen(batch->items[i].key));

		records[i].key = (struct bytes){ (const uint8_t *)key, (int32_t)strlen(key) };
		records[i].value = (struct bytes){ NULL, -1 };
		if (text == NULL)
			continue;
		records[i].value = (struct bytes){
			(const uint8_t *)arena_strndup(&fake->arena, text, strlen(text)), (int32_t)strlen(text)
		};
		free(text);
	}
	return batch_build(&draft, &fake->arena);
}

void fake_log_put(struct fake_log *fake, const char *key, const char *value)
{
	struct control_batch batch = { 0 };
	json_t *json = value == NULL ? NULL : json_loads(value, 0, NULL);

	if (value == NULL)
		control_batch_remove(&batch, key);
	else
		control_batch_put(&batch, key, json);
	store(fake, build(fake, &batch, fake->last_sequence + 1), fake->last_sequence + 1);
	control_batch_fini(&batch);
}

int fake_log_count(const struct fake_log *fake, const char *key)
{
	int found = 0;

	for (int i = 0; i < fake->n; i++) {
		struct reader r = { .p = fake->batches[i].data, .end = fake->batches[i].data + fake->batches[i].len };
		struct batch_header b;
		struct record rec;

		CHECK(batch_next(&r, &b) == BATCH_OK);
		batch_records(&b, &r);
		while (record_next(&r, &rec) == BATCH_OK)
			found += rec.key.len == (int32_t)strlen(key) && memcmp(rec.key.data, key, strlen(key)) == 0;
	}
	return found;
}

/* What a broker does with a batch: stored, taken for a resend, or out of order. */
static enum log_sent broker(struct fake_log *fake, struct bytes batch, int32_t sequence, int64_t *base)
{
	int32_t n = record_count(batch);

	if (fake->last_sequence < 0 || sequence == fake->last_sequence + 1) {
		*base = fake->end;
		store(fake, batch, sequence);
		return LOG_SENT_OK;
	}
	if (sequence != fake->range_from || sequence + n - 1 != fake->last_sequence)
		return LOG_SENT_REFUSED;
	*base = fake->bases[fake->n - 1];
	return LOG_SENT_OK;
}

static struct fake_log *fake_of(struct log_io *io)
{
	return container_of(io, struct fake_log, io);
}

static enum outcome fake_sequence(struct log_io *io, int32_t *last, struct err *err)
{
	(void)err;
	*last = fake_of(io)->last_sequence;
	return OUTCOME_DONE;
}

static enum outcome fake_read(struct log_io *io, int64_t *end, struct err *err)
{
	struct fake_log *fake = fake_of(io);

	(void)err;
	if (fake->view.position < 0)
		fake->view.position = 0;
	for (int i = 0; i < fake->n; i++)
		log_view_take(&fake->view, fake->batches[i].data, fake->batches[i].len);
	*end = fake->end;
	return OUTCOME_DONE;
}

static void deliver_delayed(struct fake_log *fake)
{
	int64_t base;

	if (fake->delayed.data != NULL)
		broker(fake, fake->delayed, fake->delayed_sequence, &base);
	fake->delayed = (struct bytes){ NULL, 0 };
}

static enum log_sent fake_append(struct log_io *io, const struct control_batch *batch, int32_t sequence, int64_t *base,
				 bool *fatal, struct err *err)
{
	struct fake_log *fake = fake_of(io);
	enum fake_does does = fake->n_appends < fake->n_script ? fake->script[fake->n_appends] : FAKE_STORES;
	struct bytes bytes = build(fake, batch, sequence);
	int32_t last, from;

	fake->n_appends++;
	deliver_delayed(fake);
	switch (does) {
	case FAKE_STORES:
		return broker(fake, bytes, sequence, base);
	case FAKE_RIVAL:
		fake_log_put(fake, "claim/rival", "{\"v\":1,\"n\":7,\"append_id\":\"ffffffffffffffffffffffffffffffff\"}");
		return broker(fake, bytes, sequence, base);
	case FAKE_FOREIGN:
		last = fake->last_sequence;
		from = fake->range_from;
		fake_log_put(fake, "claim/foreign", "{\"v\":1,\"n\":1}");
		fake->last_sequence = last;
		fake->range_from = from;
		return broker(fake, bytes, sequence, base);
	case FAKE_REFUSES:
		return LOG_SENT_REFUSED;
	case FAKE_STORES_SILENTLY:
		broker(fake, bytes, sequence, base);
		*base = -1;
		return LOG_SENT_UNKNOWN;
	case FAKE_LOSES:
		return LOG_SENT_UNKNOWN;
	case FAKE_DELAYS:
		fake->delayed = bytes;
		fake->delayed_sequence = sequence;
		return LOG_SENT_UNKNOWN;
	case FAKE_FATAL:
		break;
	}
	*fatal = true;
	err_set(err, RC_AUTH, "no");
	return LOG_SENT_REFUSED;
}

static enum outcome fake_make(struct log_io *io, struct err *err)
{
	(void)err;
	fake_of(io)->missing = false;
	fake_of(io)->n_made++;
	return OUTCOME_DONE;
}

static bool fake_exists(struct log_io *io)
{
	return !fake_of(io)->missing;
}

static bool fake_pause(struct log_io *io)
{
	return fake_of(io)->pauses_left-- > 0;
}

void fake_log_init(struct fake_log *fake)
{
	*fake = (struct fake_log){
		.io = { fake_sequence, fake_read, fake_append, fake_make, fake_exists, fake_pause, &fake->view },
		.view.position = -1, .last_sequence = -1, .pauses_left = 10,
	};
	arena_init(&fake->arena, 0);
}

void fake_log_fini(struct fake_log *fake)
{
	log_view_fini(&fake->view);
	arena_fini(&fake->arena);
}
