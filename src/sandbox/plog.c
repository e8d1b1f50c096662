/* SPDX-License-Identifier: Apache-2.0 */
#include "sandbox/plog.h"

#include "base/mem.h"

#include <string.h>

void plog_init(struct plog *log)
{
	*log = (struct plog){ 0 };
}

void plog_fini(struct plog *log)
{
	for (size_t i = log->first_; i < log->n_; i++)
		plog_batch_unref(log->batches_[i]);
	xfree(log->batches_);
	xfree(log->epochs_);
	*log = (struct plog){ 0 };
}

struct plog_batch *plog_batch_create(int32_t len)
{
	struct plog_batch *b = xmalloc(sizeof(*b) + (size_t)len);

	*b = (struct plog_batch){ .refs = 1, .len = len };
	return b;
}

void plog_batch_ref(struct plog_batch *b)
{
	b->refs++;
}

void plog_batch_unref(struct plog_batch *b)
{
	CHECK(b->refs > 0);
	if (--b->refs == 0)
		xfree(b);
}

/* Batches leave at the front by moving first_; the space is taken back when half of the array is gone. */
static void make_room(struct plog *log)
{
	size_t live = log->n_ - log->first_;

	if (log->n_ < log->cap_)
		return;
	if (log->first_ > log->cap_ / 2) {
		memmove(log->batches_, log->batches_ + log->first_, live * sizeof(*log->batches_));
		log->first_ = 0;
		log->n_ = live;
		return;
	}
	log->cap_ = MAX(log->cap_ * 2, (size_t)16);
	log->batches_ = xrealloc(log->batches_, log->cap_, sizeof(*log->batches_));
}

void plog_append(struct plog *log, struct plog_batch *b)
{
	CHECK(b->base_offset == log->end_offset && b->last_offset >= b->base_offset);
	make_room(log);
	log->batches_[log->n_++] = b;
	log->end_offset = b->last_offset + 1;
	log->bytes += (size_t)b->len;
}

size_t plog_find(const struct plog *log, int64_t offset)
{
	size_t low = log->first_, high = log->n_;

	while (low < high) {
		size_t mid = low + (high - low) / 2;

		if (log->batches_[mid]->last_offset < offset)
			low = mid + 1;
		else
			high = mid;
	}
	return low - log->first_;
}

struct plog_batch *plog_at(const struct plog *log, size_t i)
{
	return i < log->n_ - log->first_ ? log->batches_[log->first_ + i] : NULL;
}

size_t plog_bytes_between(const struct plog *log, int64_t from, int64_t to)
{
	const struct plog_batch *b;
	size_t bytes = 0;

	for (size_t i = plog_find(log, from); (b = plog_at(log, i)) != NULL && b->base_offset < to; i++)
		bytes += b->base_offset >= from ? (size_t)b->len : 0;
	return bytes;
}

void plog_epoch_begin(struct plog *log, int32_t epoch)
{
	/* Epochs that wrote nothing give way, as in the broker's cache. */
	while (log->n_epochs_ > 0 && log->epochs_[log->n_epochs_ - 1].start >= log->end_offset)
		log->n_epochs_--;
	log->epochs_ = xrealloc(log->epochs_, (size_t)log->n_epochs_ + 1, sizeof(*log->epochs_));
	log->epochs_[log->n_epochs_++] = (struct plog_epoch){ epoch, log->end_offset };
}

int32_t plog_epoch_last(const struct plog *log)
{
	return log->n_epochs_ > 0 ? log->epochs_[log->n_epochs_ - 1].epoch : -1;
}

int32_t plog_epoch_of(const struct plog *log, int64_t offset)
{
	int32_t epoch = -1;

	for (int i = 0; i < log->n_epochs_ && log->epochs_[i].start <= offset; i++)
		epoch = log->epochs_[i].epoch;
	return epoch;
}

void plog_epoch_end(const struct plog *log, int32_t asked, int32_t *epoch, int64_t *end)
{
	int above = 0;

	*epoch = -1;
	*end = -1;
	if (asked < 0 || log->n_epochs_ == 0)
		return;
	if (asked == plog_epoch_last(log)) {
		*epoch = asked;
		*end = log->end_offset;
		return;
	}
	while (above < log->n_epochs_ && log->epochs_[above].epoch <= asked)
		above++;
	if (above == log->n_epochs_)
		return;
	*epoch = above == 0 ? asked : log->epochs_[above - 1].epoch;
	*end = log->epochs_[above].start;
}

static void trim_epochs(struct plog *log)
{
	int keep = 0;

	while (keep + 1 < log->n_epochs_ && log->epochs_[keep + 1].start <= log->start_offset)
		keep++;
	if (keep > 0) {
		memmove(log->epochs_, log->epochs_ + keep, (size_t)(log->n_epochs_ - keep) * sizeof(*log->epochs_));
		log->n_epochs_ -= keep;
	}
	if (log->n_epochs_ > 0)
		log->epochs_[0].start = MAX(log->epochs_[0].start, log->start_offset);
}

void plog_delete_to(struct plog *log, int64_t offset)
{
	CHECK(offset >= log->start_offset && offset <= log->end_offset);
	log->start_offset = offset;
	while (log->first_ < log->n_ && log->batches_[log->first_]->last_offset < offset) {
		log->bytes -= (size_t)log->batches_[log->first_]->len;
		plog_batch_unref(log->batches_[log->first_++]);
	}
	trim_epochs(log);
}

void plog_replace(struct plog *log, size_t i, struct plog_batch *b)
{
	struct plog_batch **at = &log->batches_[log->first_ + i];

	CHECK(log->first_ + i < log->n_);
	log->bytes -= (size_t)(*at)->len;
	if (b != NULL) {
		CHECK(b->base_offset == (*at)->base_offset && b->last_offset == (*at)->last_offset);
		log->bytes += (size_t)b->len;
	}
	plog_batch_unref(*at);
	*at = b;
	if (b == NULL)
		memmove(at, at + 1, (--log->n_ - log->first_ - i) * sizeof(*at));
}

void plog_truncate(struct plog *log, int64_t offset)
{
	while (log->n_ > log->first_ && log->batches_[log->n_ - 1]->last_offset >= offset) {
		struct plog_batch *b = log->batches_[--log->n_];

		log->end_offset = b->base_offset;
		log->bytes -= (size_t)b->len;
		plog_batch_unref(b);
	}
	log->end_offset = MIN(log->end_offset, MAX(offset, log->start_offset));
	while (log->n_epochs_ > 0 && log->epochs_[log->n_epochs_ - 1].start >= log->end_offset &&
	       log->epochs_[log->n_epochs_ - 1].start > 0)
		log->n_epochs_--;
}
