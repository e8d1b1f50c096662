/* SPDX-License-Identifier: Apache-2.0 */
#include "mirror/flatten.h"

#include "base/mem.h"

#include <stdlib.h>
#include <string.h>

enum { CONTROL_KEY_LEN = 4, CONTROL_ABORT = 0 };

static int by_first_offset(const void *a, const void *b)
{
	const struct aborted_transaction *x = a, *y = b;

	return (x->first_offset > y->first_offset) - (x->first_offset < y->first_offset);
}

void flatten_init(struct flatten *flatten, const struct aborted_transaction *list, int32_t n)
{
	*flatten = (struct flatten){ .n_ = MAX(n, 0) };
	if (n <= 0)
		return;
	flatten->list_ = xcalloc((size_t)n, sizeof(*list));
	memcpy(flatten->list_, list, (size_t)n * sizeof(*list));
	qsort(flatten->list_, (size_t)n, sizeof(*list), by_first_offset);
}

void flatten_fini(struct flatten *flatten)
{
	map_fini(&flatten->active_);
	xfree(flatten->list_);
	*flatten = (struct flatten){ 0 };
}

static void activate(struct flatten *flatten, int64_t last_offset)
{
	for (; flatten->next_ < flatten->n_ && flatten->list_[flatten->next_].first_offset <= last_offset;
	     flatten->next_++) {
		struct aborted_transaction *a = &flatten->list_[flatten->next_];

		if (map_get(&flatten->active_, &a->producer_id, sizeof(a->producer_id)) == NULL)
			map_put(&flatten->active_, &a->producer_id, sizeof(a->producer_id), a);
	}
}

/* The key of a control record: version 2, type 2. */
static bool is_abort_marker(const struct batch_header *b)
{
	struct record rec;
	struct reader r;

	if ((b->attributes & BATCH_CODEC) != 0 || b->count < 1)
		return false;
	batch_records(b, &r);
	if (record_next(&r, &rec) != BATCH_OK || rec.key.len < CONTROL_KEY_LEN)
		return false;
	return (rec.key.data[2] << 8 | rec.key.data[3]) == CONTROL_ABORT;
}

enum flatten_kind flatten_batch(struct flatten *flatten, const struct batch_header *b)
{
	bool control = (b->attributes & BATCH_CONTROL) != 0, aborted = false;

	if (b->magic != 2)
		return FLATTEN_RECORDS;
	if (b->producer_id >= 0 && flatten->n_ > 0) {
		activate(flatten, b->base_offset + b->last_delta);
		if (control && is_abort_marker(b))
			map_del(&flatten->active_, &b->producer_id, sizeof(b->producer_id));
		else
			aborted = (b->attributes & BATCH_TRANSACTIONAL) != 0 &&
				  map_get(&flatten->active_, &b->producer_id, sizeof(b->producer_id)) != NULL;
	}
	if (!control && !aborted && b->count > 0)
		return FLATTEN_RECORDS;
	return batch_crc_ok(b) ? FLATTEN_HOLE : FLATTEN_CORRUPT;
}
