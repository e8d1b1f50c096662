/* SPDX-License-Identifier: Apache-2.0 */
#include "mirror/seed.h"

#include "base/mem.h"

#include <string.h>

void seed_judge(const struct seed_input *in, struct seed_plan *plan)
{
	bool under_way = in->recorded_to >= 0 && in->log_end >= in->recorded_from && in->log_end <= in->recorded_to;

	*plan = (struct seed_plan){ .from = in->log_end, .to = in->start };
	if (under_way)
		plan->from = in->recorded_from;
	else
		plan->lost = in->log_end > 0;
	plan->recorded = under_way && in->recorded_to == in->start;
}

int32_t seed_records(int64_t at, int64_t to)
{
	return (int32_t)MIN(to - at, (int64_t)SEED_RECORDS);
}

static struct bytes plain_batch(int32_t n, enum seed_kind kind, struct arena *arena)
{
	static const struct bytes keys[SEED_KINDS] = {
		[SEED_NO_KEYS] = { NULL, -1 }, [SEED_EMPTY_KEYS] = { (const uint8_t *)"", 0 },
		[SEED_TOMBSTONES] = { (const uint8_t *)SEED_TOMBSTONE_KEY, sizeof(SEED_TOMBSTONE_KEY) - 1 },
	};
	struct batch_record *records = arena_alloc(arena, (size_t)n * sizeof(*records));
	const struct batch_draft draft = { .records = records, .n = n, .timestamp = kind == SEED_TOMBSTONES ? 0 : -1,
					   .stamp.producer_id = -1, .stamp.producer_epoch = -1,
					   .stamp.base_sequence = -1 };

	for (int32_t i = 0; i < n; i++)
		records[i] = (struct batch_record){ .key = keys[kind], .value = { NULL, -1 } };
	return batch_build(&draft, arena);
}

struct buf *seed_batch(struct buf_pool *pool, int32_t n, enum seed_kind kind)
{
	struct packer *packer = packer_create();
	struct window out = { 0 };
	struct arena arena;
	struct buf *buf;

	arena_init(&arena, 0);
	batch_pack(plain_batch(n, kind, &arena), CODEC_GZIP, packer, &out);
	buf = buf_get(pool, out.end - out.at);
	if (buf != NULL) {
		buf->len = out.end - out.at;
		memcpy(buf->data, out.data + out.at, buf->len);
	}
	xfree(out.data);
	packer_destroy(packer);
	arena_fini(&arena);
	return buf;
}

bool seed_is_tombstone(const struct record_view *v)
{
	int32_t len = sizeof(SEED_TOMBSTONE_KEY) - 1;

	return v->key.len == len && memcmp(v->key.data, SEED_TOMBSTONE_KEY, (size_t)len) == 0 && v->value.len < 0 &&
	       v->n_headers == 0;
}

void seed_estimate(int64_t n, int64_t *seconds, int64_t *mib)
{
	*seconds = n / SEED_RATE + 1;
	*mib = (n / SEED_RECORDS * SEED_BATCH_BYTES >> 20) + 1;
}
