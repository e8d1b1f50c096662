/* SPDX-License-Identifier: Apache-2.0 */
/* The aborted transactions of one partition, in the order of their markers, as Fetch tells them to read_committed. */
#pragma once

#include <stddef.h>
#include <stdint.h>

struct aborted {
	int64_t producer_id;
	int64_t first_offset, last_offset;      /* its first record, its marker */
	int64_t stable;                         /* the last stable offset when it had ended */
};

/* An aborted transaction costs no memory of the store's budget: its marker does. */
struct aborted_list {
	struct aborted *items;
	size_t n;
	/* private */
	size_t cap_;
};

void aborted_init(struct aborted_list *list);
void aborted_fini(struct aborted_list *list);
/* last_offset is above those of all others. */
void aborted_add(struct aborted_list *list, const struct aborted *txn);
/* The first one that ends at offset or above it, as an index of items; n: there is none. */
size_t aborted_find(const struct aborted_list *list, int64_t offset);
/* Forgets those that end below the start of the log. */
void aborted_delete_to(struct aborted_list *list, int64_t start);
/* Forgets those that end at offset or above it, where the log is cut. */
void aborted_truncate(struct aborted_list *list, int64_t offset);
