/* SPDX-License-Identifier: Apache-2.0 */
/* An intrusive doubly linked list. The head is a struct list too. A node that is in no list is self-linked or
 * zeroed; list_del leaves it so, and may be called on it again. */
#pragma once

#include "base/mem.h"

#include <stdbool.h>

struct list {
	struct list *next, *prev;
};

static inline void list_init(struct list *l)
{
	l->next = l->prev = l;
}

static inline bool list_empty(const struct list *l)
{
	return l->next == l || l->next == NULL;
}

/* True when the node is in some list. */
static inline bool list_linked(const struct list *n)
{
	return !list_empty(n);
}

static inline void list_push_back(struct list *head, struct list *n)
{
	n->prev = head->prev;
	n->next = head;
	head->prev->next = n;
	head->prev = n;
}

static inline void list_push_front(struct list *head, struct list *n)
{
	n->next = head->next;
	n->prev = head;
	head->next->prev = n;
	head->next = n;
}

static inline void list_del(struct list *n)
{
	if (n->next != NULL) {
		n->next->prev = n->prev;
		n->prev->next = n->next;
	}
	n->next = n->prev = n;
}

/* Moves all nodes of src to the end of dst; src is empty afterwards. */
static inline void list_splice(struct list *dst, struct list *src)
{
	if (list_empty(src))
		return;
	src->next->prev = dst->prev;
	src->prev->next = dst;
	dst->prev->next = src->next;
	dst->prev = src->prev;
	list_init(src);
}

/* Takes the first node off; NULL when the list is empty. */
static inline struct list *list_pop(struct list *head)
{
	struct list *n = head->next;

	if (n == NULL || n == head)
		return NULL;
	list_del(n);
	return n;
}

#define list_entry(node, type, member) container_of(node, type, member)
#define list_first(head, type, member) (list_empty(head) ? NULL : list_entry((head)->next, type, member))
#define list_each(pos, head) for ((pos) = (head)->next; (pos) != (head); (pos) = (pos)->next)
/* Safe against removal of pos itself. */
#define list_each_safe(pos, tmp, head)                                                                                \
	for ((pos) = (head)->next, (tmp) = (pos)->next; (pos) != (head); (pos) = (tmp), (tmp) = (pos)->next)
