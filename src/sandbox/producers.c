/* SPDX-License-Identifier: Apache-2.0 */
#include "sandbox/producers.h"

#include "base/mem.h"
#include "wire/msg/kerr_codes.h"

#include <string.h>

void producers_init(struct producers *p)
{
	*p = (struct producers){ .first_open_ = INT64_MAX };
}

void producers_fini(struct producers *p)
{
	xfree(p->items);
	xfree(p->index_);
	producers_init(p);
}

static size_t slot_of(const struct producers *p, int64_t id)
{
	uint64_t h = (uint64_t)id * UINT64_C(0x9e3779b97f4a7c15);

	return (size_t)(h >> 32) & (p->index_size_ - 1);
}

struct producer *producers_find(const struct producers *p, int64_t id)
{
	size_t slot;

	if (p->index_size_ == 0)
		return NULL;
	for (slot = slot_of(p, id); p->index_[slot] != 0; slot = (slot + 1) & (p->index_size_ - 1)) {
		struct producer *found = &p->items[p->index_[slot] - 1];

		if (found->id == id)
			return found;
	}
	return NULL;
}

static void reindex(struct producers *p, size_t size)
{
	xfree(p->index_);
	p->index_ = xcalloc(size, sizeof(*p->index_));
	p->index_size_ = size;
	for (size_t i = 0; i < p->n; i++) {
		size_t slot = slot_of(p, p->items[i].id);

		while (p->index_[slot] != 0)
			slot = (slot + 1) & (size - 1);
		p->index_[slot] = (uint32_t)(i + 1);
	}
}

static struct producer *find_or_add(struct producers *p, int64_t id)
{
	struct producer *found = producers_find(p, id);

	if (found != NULL)
		return found;
	if (p->n == p->cap_) {
		p->cap_ = MAX(p->cap_ * 2, (size_t)4);
		p->items = xrealloc(p->items, p->cap_, sizeof(*p->items));
	}
	found = &p->items[p->n++];
	*found = (struct producer){ .id = id, .epoch = -1, .coordinator_epoch = -1, .last_timestamp = -1,
				     .txn_start = -1 };
	if (p->index_size_ < p->cap_ * 2) {
		reindex(p, p->cap_ * 2);
	} else {
		size_t slot = slot_of(p, id);

		while (p->index_[slot] != 0)
			slot = (slot + 1) & (p->index_size_ - 1);
		p->index_[slot] = (uint32_t)p->n;
	}
	return found;
}

int32_t sequence_add(int32_t sequence, int32_t n)
{
	return (int32_t)(((int64_t)sequence + n) & INT32_MAX);
}

const struct producer_batch *producers_duplicate(const struct producers *p, const struct producer_claim *c)
{
	const struct producer *known = producers_find(p, c->id);
	int32_t last = sequence_add(c->base_sequence, c->last_offset_delta);

	if (known == NULL || known->epoch != c->epoch)
		return NULL;
	for (int i = 0; i < known->n_window; i++)
		if (known->window[i].first_sequence == c->base_sequence && known->window[i].last_sequence == last)
			return &known->window[i];
	return NULL;
}

static int16_t check_sequence(const struct producer *known, const struct producer_claim *c)
{
	int32_t last;

	if (c->epoch < known->epoch)
		return KERR_INVALID_PRODUCER_EPOCH;
	if (c->epoch > known->epoch)
		return c->base_sequence == 0 ? KERR_NONE : KERR_OUT_OF_ORDER_SEQUENCE_NUMBER;
	last = known->n_window > 0 ? known->window[known->n_window - 1].last_sequence : -1;
	if ((int64_t)c->base_sequence == (int64_t)last + 1 || (last == INT32_MAX && c->base_sequence == 0))
		return KERR_NONE;
	return KERR_OUT_OF_ORDER_SEQUENCE_NUMBER;
}

int16_t producers_check(const struct producers *p, const struct producer_claim *c)
{
	const struct producer *known = producers_find(p, c->id);
	int16_t code;

	/* An id that is not known may begin at any sequence. */
	if (known == NULL)
		return KERR_NONE;
	code = check_sequence(known, c);
	if (code == KERR_NONE && known->txn_start >= 0 && !c->transactional)
		return KERR_INVALID_TXN_STATE;
	return code;
}

static void raise_epoch(struct producer *known, int16_t epoch)
{
	if (known->epoch != epoch)
		known->n_window = 0;
	known->epoch = epoch;
}

void producers_append(struct producers *p, const struct producer_claim *c)
{
	struct producer *known = find_or_add(p, c->id);

	raise_epoch(known, c->epoch);
	if (known->n_window == PRODUCER_WINDOW)
		memmove(known->window, known->window + 1, (size_t)--known->n_window * sizeof(known->window[0]));
	known->window[known->n_window++] = (struct producer_batch){
		.first_sequence = c->base_sequence,
		.last_sequence = sequence_add(c->base_sequence, c->last_offset_delta),
		.first_offset = c->offset,
		.last_offset = c->offset + c->last_offset_delta,
		.timestamp = c->timestamp,
	};
	known->last_timestamp = c->timestamp;
	if (c->transactional && known->txn_start < 0) {
		known->txn_start = c->offset;
		p->first_open_ = MIN(p->first_open_, c->offset);
	}
}

int16_t producers_check_marker(const struct producers *p, const struct producer_marker *m)
{
	const struct producer *known = producers_find(p, m->id);

	if (known == NULL)
		return KERR_NONE;
	if (m->epoch < known->epoch)
		return KERR_INVALID_PRODUCER_EPOCH;
	if (m->coordinator_epoch < known->coordinator_epoch)
		return KERR_TRANSACTION_COORDINATOR_FENCED;
	return KERR_NONE;
}

static void find_first_open(struct producers *p)
{
	p->first_open_ = INT64_MAX;
	for (size_t i = 0; i < p->n; i++)
		if (p->items[i].txn_start >= 0)
			p->first_open_ = MIN(p->first_open_, p->items[i].txn_start);
}

int64_t producers_marker(struct producers *p, const struct producer_marker *m)
{
	struct producer *known = find_or_add(p, m->id);
	int64_t started = known->txn_start;

	raise_epoch(known, m->epoch);
	known->coordinator_epoch = m->coordinator_epoch;
	known->last_timestamp = m->timestamp;
	known->txn_start = -1;
	if (started >= 0 && started == p->first_open_)
		find_first_open(p);
	return started;
}

int64_t producers_first_open(const struct producers *p)
{
	return p->first_open_;
}

bool producers_in_txn(const struct producers *p, int64_t id, int16_t epoch)
{
	const struct producer *known = producers_find(p, id);

	return known != NULL && known->txn_start >= 0 && known->epoch == epoch;
}

void producers_expire(struct producers *p, int64_t before)
{
	size_t kept = 0;

	for (size_t i = 0; i < p->n; i++)
		if (p->items[i].last_timestamp > before || p->items[i].txn_start >= 0)
			p->items[kept++] = p->items[i];
	if (kept == p->n)
		return;
	p->n = kept;
	reindex(p, p->index_size_);
}
