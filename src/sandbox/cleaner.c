/* SPDX-License-Identifier: Apache-2.0 */
/* When a partition is cleaned, and which of its batches and records stay. How what stays is written: clean_batch.c.
 *
 * Two walks over what may be cleaned (below the active segment and the last stable offset): the first finds the newest
 * offset of each key, the second keeps what a broker would keep. */
#include "sandbox/cleaner.h"

#include "base/log.h"
#include "sandbox/batch_check.h"
#include "sandbox/bytes.h"
#include "sandbox/clean_batch.h"
#include "sandbox/segment.h"

struct newest {
	int64_t offset;
	size_t len;
	uint8_t key[];
};

/* A transaction that the walk is in. */
struct open_txn {
	int64_t producer_id;
	bool aborted, seen;              /* seen: some batch of it stands in the log */
};

struct cleaning {
	struct sandbox *sb;
	struct partition *p;
	int64_t end;                     /* nothing is touched from here on */
	struct map keys;                 /* of struct newest */
	struct arena arena;
	struct batch_cleaner *batches;
	struct aborted *aborted;         /* by their first offset */
	size_t n_aborted, next_aborted;
	struct open_txn *open;
	size_t n_open;
	struct aborted_list left;        /* aborted transactions of which batches are left */
};

/* ---- what may be cleaned ---- */

static int64_t cleanable_end(const struct sandbox *sb, const struct partition *p)
{
	int64_t lag = p->topic->config.numbers[SETTING_MIN_COMPACTION_LAG_MS];
	int64_t end = MIN(p->segment.base, partition_stable(p));
	const struct plog_batch *b;

	if (lag > 0)
		for (size_t i = 0; (b = plog_at(&p->log, i)) != NULL && b->base_offset < end; i++)
			if (sb->wall_ms - b->max_timestamp < lag)
				end = b->base_offset;
	return end;
}

static bool worth_it(const struct partition *p, int64_t end)
{
	double dirty = (double)plog_bytes_between(&p->log, MAX(p->cleaned_to, p->log.start_offset), end);
	double all = (double)plog_bytes_between(&p->log, p->log.start_offset, end);
	double least = strtod(topic_config_get(&p->topic->config, SETTING_MIN_CLEANABLE_DIRTY_RATIO), NULL);

	return dirty > 0 && dirty / all >= least;
}

/* ---- transactions along the walk ---- */

static int by_first(const void *a, const void *b)
{
	const struct aborted *x = a, *y = b;

	return (x->first_offset > y->first_offset) - (x->first_offset < y->first_offset);
}

static void walk_begin(struct cleaning *c)
{
	c->next_aborted = c->n_open = 0;
}

static struct open_txn *open_txn(struct cleaning *c, int64_t producer_id)
{
	for (size_t i = 0; i < c->n_open; i++)
		if (c->open[i].producer_id == producer_id)
			return &c->open[i];
	return NULL;
}

static struct open_txn *open_txn_add(struct cleaning *c, int64_t producer_id, bool aborted)
{
	c->open = xrealloc(c->open, c->n_open + 1, sizeof(*c->open));
	c->open[c->n_open] = (struct open_txn){ producer_id, aborted, !aborted };
	return &c->open[c->n_open++];
}

static void walk_to(struct cleaning *c, int64_t offset)
{
	for (; c->next_aborted < c->n_aborted && c->aborted[c->next_aborted].first_offset <= offset; c->next_aborted++)
		if (open_txn(c, c->aborted[c->next_aborted].producer_id) == NULL)
			open_txn_add(c, c->aborted[c->next_aborted].producer_id, true);
}

static void keep_aborted(struct cleaning *c, const struct plog_batch *marker)
{
	for (size_t i = 0; i < c->p->aborted.n; i++)
		if (c->p->aborted.items[i].last_offset == marker->last_offset)
			aborted_add(&c->left, &c->p->aborted.items[i]);
}

/* True when nothing is left of what the marker ended. */
static bool marker_is_spent(struct cleaning *c, const struct plog_batch *b)
{
	struct open_txn *txn = open_txn(c, get_i64(b->data + BATCH_PRODUCER_ID));
	bool spent = txn == NULL || !txn->seen;

	if (txn != NULL) {
		if (txn->aborted && txn->seen)
			keep_aborted(c, b);
		*txn = c->open[--c->n_open];
	}
	return spent || get_i32(b->data + BATCH_COUNT) == 0;
}

/* Whether the records of the batch are to go whatever their keys are, or the marker is spent. */
static bool may_discard(struct cleaning *c, const struct plog_batch *b)
{
	int16_t attributes = get_i16(b->data + BATCH_ATTRIBUTES);
	int64_t producer_id = get_i64(b->data + BATCH_PRODUCER_ID);
	struct open_txn *txn;

	walk_to(c, b->last_offset);
	if (attributes & BATCH_CONTROL)
		return marker_is_spent(c, b);
	if ((attributes & BATCH_TRANSACTIONAL) == 0)
		return false;
	txn = open_txn(c, producer_id);
	if (txn == NULL)
		txn = open_txn_add(c, producer_id, false);
	txn->seen = true;
	return txn->aborted;
}

/* ---- the first walk ---- */

static void note_key(void *owner, const struct record_view *v)
{
	struct cleaning *c = owner;
	struct newest *n;

	if (v->key.len < 0)
		return;
	n = map_get(&c->keys, v->key.data, (size_t)v->key.len);
	if (n == NULL) {
		n = arena_alloc(&c->arena, sizeof(*n) + (size_t)v->key.len);
		n->len = (size_t)v->key.len;
		memcpy(n->key, v->key.data, n->len);
		map_put(&c->keys, n->key, n->len, n);
	}
	n->offset = v->offset;
}

static void find_newest(struct cleaning *c)
{
	const struct plog_batch *b;

	walk_begin(c);
	for (size_t i = 0; (b = plog_at(&c->p->log, i)) != NULL && b->last_offset < c->end; i++)
		if (!may_discard(c, b) && (get_i16(b->data + BATCH_ATTRIBUTES) & BATCH_CONTROL) == 0)
			batch_cleaner_walk(c->batches, b, note_key, c);
}

/* ---- the second walk ---- */

struct choice {
	struct cleaning *c;
	bool horizon_over;
};

static bool stays(void *owner, const struct record_view *v)
{
	const struct choice *choice = owner;
	const struct newest *n = v->key.len >= 0 ? map_get(&choice->c->keys, v->key.data, (size_t)v->key.len) : NULL;

	return n != NULL && v->offset >= n->offset && (v->value.len >= 0 || !choice->horizon_over);
}

static bool stays_always(void *owner, const struct record_view *v)
{
	(void)owner;
	(void)v;
	return true;
}

/* The batch that holds the last sequence of a producer that is still known, or its last epoch. */
static bool last_of_producer(const struct partition *p, const struct plog_batch *b)
{
	const struct producer *known = producers_find(&p->producers, get_i64(b->data + BATCH_PRODUCER_ID));

	if (known == NULL)
		return false;
	if (known->n_window > 0)
		return known->window[known->n_window - 1].last_offset == b->last_offset;
	return (get_i16(b->data + BATCH_ATTRIBUTES) & BATCH_CONTROL) &&
	       get_i16(b->data + BATCH_PRODUCER_EPOCH) == known->epoch;
}

/* The batch as it is to stand: itself, a new one, or NULL. */
static struct plog_batch *clean_one(struct cleaning *c, struct plog_batch *b)
{
	int16_t attributes = get_i16(b->data + BATCH_ATTRIBUTES);
	bool control = attributes & BATCH_CONTROL, discard = may_discard(c, b), spent = control && discard;
	struct choice choice = {
		.c = c,
		.horizon_over = (attributes & BATCH_DELETE_HORIZON) &&
				get_i64(b->data + BATCH_BASE_TIMESTAMP) <= c->sb->wall_ms,
	};
	struct clean_rules rules = {
		.stays = control ? stays_always : stays, .owner = &choice,
		.horizon_ms = c->sb->wall_ms + c->p->topic->config.numbers[SETTING_DELETE_RETENTION_MS],
		.spent_marker = spent,
		.keep_empty = last_of_producer(c->p, b) || b->last_offset + 1 == c->end,
	};

	rules.discard = control ? spent && choice.horizon_over : discard;
	return batch_clean(c->batches, b, &rules);
}

static void replace(struct cleaning *c, size_t *at)
{
	struct plog_batch *old = plog_at(&c->p->log, *at), *clean = clean_one(c, old);

	if (clean == old) {
		(*at)++;
		return;
	}
	store_release(&c->sb->store, (size_t)old->len + (clean == NULL ? BATCH_COST : 0));
	if (clean != NULL)
		c->sb->store.memory += (size_t)clean->len;
	plog_replace(&c->p->log, *at, clean);
	*at += clean != NULL;
}

static void rewrite(struct cleaning *c)
{
	const struct plog_batch *b;

	walk_begin(c);
	for (size_t i = 0; (b = plog_at(&c->p->log, i)) != NULL && b->last_offset < c->end;)
		replace(c, &i);
}

/* Those that ended above are kept as they are. */
static void take_aborted(struct cleaning *c)
{
	for (size_t i = aborted_find(&c->p->aborted, c->end); i < c->p->aborted.n; i++)
		aborted_add(&c->left, &c->p->aborted.items[i]);
	aborted_fini(&c->p->aborted);
	c->p->aborted = c->left;
}

static void clean(struct sandbox *sb, struct partition *p, int64_t end)
{
	struct cleaning c = { .sb = sb, .p = p, .end = end, .batches = batch_cleaner_create(),
			      .n_aborted = p->aborted.n };

	arena_init(&c.arena, 0);
	c.aborted = xcalloc(c.n_aborted + 1, sizeof(*c.aborted));
	if (c.n_aborted > 0)
		memcpy(c.aborted, p->aborted.items, c.n_aborted * sizeof(*c.aborted));
	qsort(c.aborted, c.n_aborted, sizeof(*c.aborted), by_first);
	aborted_init(&c.left);
	find_newest(&c);
	aborted_fini(&c.left);           /* only the second walk counts */
	rewrite(&c);
	take_aborted(&c);
	p->cleaned_to = end;
	log_info("cleaner", "cleaned", "topic=%s partition=%d to=%lld", p->topic->name, p->index, (long long)end);
	map_fini(&c.keys);
	arena_fini(&c.arena);
	batch_cleaner_destroy(c.batches);
	xfree(c.aborted);
	xfree(c.open);
}

/* ---- the ticker ---- */

static void clean_due(struct tick *tick)
{
	struct sandbox *sb = container_of(tick, struct sandbox, cleaner);

	for (int32_t t = 0; t < sb->store.n_topics; t++)
		for (int32_t i = 0; i < sb->store.topics[t]->n_partitions; i++) {
			struct partition *p = sb->store.topics[t]->partitions[i];
			int64_t end;

			if (!topic_config_compacts(&p->topic->config))
				break;
			end = cleanable_end(sb, p);
			if (worth_it(p, end))
				clean(sb, p, end);
		}
	tick_set(&sb->ticker, tick, sb->now_ms + sb->cleaner_backoff_ms);
}

void cleaner_start(struct sandbox *sb, int32_t backoff_ms)
{
	sb->cleaner_backoff_ms = backoff_ms;
	sb->cleaner.fire = clean_due;
	tick_set(&sb->ticker, &sb->cleaner, sb->now_ms + backoff_ms);
}

void cleaner_stop(struct sandbox *sb)
{
	tick_clear(&sb->cleaner);
}
