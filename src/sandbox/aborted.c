/* SPDX-License-Identifier: Apache-2.0 */
#include "sandbox/aborted.h"

#include "base/mem.h"

#include <string.h>

void aborted_init(struct aborted_list *list)
{
	*list = (struct aborted_list){ 0 };
}

void aborted_fini(struct aborted_list *list)
{
	xfree(list->items);
	aborted_init(list);
}

void aborted_add(struct aborted_list *list, const struct aborted *txn)
{
	CHECK(list->n == 0 || list->items[list->n - 1].last_offset < txn->last_offset);
	if (list->n == list->cap_) {
		list->cap_ = MAX(list->cap_ * 2, (size_t)8);
		list->items = xrealloc(list->items, list->cap_, sizeof(*list->items));
	}
	list->items[list->n++] = *txn;
}

size_t aborted_find(const struct aborted_list *list, int64_t offset)
{
	size_t low = 0, high = list->n;

	while (low < high) {
		size_t mid = low + (high - low) / 2;

		if (list->items[mid].last_offset < offset)
			low = mid + 1;
		else
			high = mid;
	}
	return low;
}

void aborted_delete_to(struct aborted_list *list, int64_t start)
{
	size_t gone = aborted_find(list, start);

	if (gone == 0)
		return;
	list->n -= gone;
	memmove(list->items, list->items + gone, list->n * sizeof(*list->items));
}

void aborted_truncate(struct aborted_list *list, int64_t offset)
{
	list->n = aborted_find(list, offset);
}
