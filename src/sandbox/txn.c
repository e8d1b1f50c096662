/* SPDX-License-Identifier: Apache-2.0 */
#include "sandbox/txn.h"

#include "sandbox/append.h"

enum { TXN_COST = 512, TXN_PARTITION_COST = 64, TXN_OFFSET_COST = 256 };
/* transaction.max.timeout.ms, and the last epoch that a producer id is handed out with. */
enum { TIMEOUT_MAX_MS = 900000, EPOCH_LAST = INT16_MAX - 1 };

const char *txn_state_name(const struct txn *txn)
{
	static const char *const names[] = { "Empty", "Ongoing", "CompleteCommit", "CompleteAbort" };

	return names[txn->state];
}

struct txn *txn_find(struct sandbox *sb, struct str id)
{
	return id.len > 0 ? map_get(&sb->txns, id.data, (size_t)id.len) : NULL;
}

static void offset_free(struct txn *txn, struct txn_offset *o)
{
	store_release(&txn->sb->store, TXN_OFFSET_COST + strlen(o->metadata));
	list_del(&o->node);
	xfree(o->group);
	xfree(o->topic);
	xfree(o->metadata);
	xfree(o);
}

/* Nothing is open any more. */
static void clear(struct txn *txn)
{
	tick_clear(&txn->timer);
	store_release(&txn->sb->store, (size_t)(txn->n_partitions + txn->n_groups) * TXN_PARTITION_COST);
	for (int32_t i = 0; i < txn->n_partitions; i++)
		xfree(txn->partitions[i].topic);
	for (int32_t i = 0; i < txn->n_groups; i++)
		xfree(txn->groups[i]);
	txn->n_partitions = txn->n_groups = 0;
	while (!list_empty(&txn->offsets))
		offset_free(txn, list_first(&txn->offsets, struct txn_offset, node));
}

void txn_fini(struct sandbox *sb)
{
	struct txn *txn;
	size_t at = 0;

	while ((txn = map_next(&sb->txns, &at)) != NULL) {
		clear(txn);
		map_del(&sb->txns, txn->id, strlen(txn->id));
		store_release(&sb->store, TXN_COST + strlen(txn->id));
		xfree(txn->partitions);
		xfree(txn->groups);
		xfree(txn->id);
		xfree(txn);
	}
	map_fini(&sb->txns);
}

static void write_markers(struct txn *txn, bool commit)
{
	struct producer_marker marker = {
		.id = txn->producer_id,
		.epoch = txn->epoch,
		.coordinator_epoch = 0,
		.timestamp = txn->sb->wall_ms,
	};

	for (int32_t i = 0; i < txn->n_partitions; i++) {
		struct partition *p = store_partition(&txn->sb->store, str_of(txn->partitions[i].topic),
						      txn->partitions[i].index);

		/* A partition that is gone, or that knows a newer epoch, gets none: brokers give up there too. */
		if (p != NULL)
			append_owed_marker(txn->sb, p, &marker, commit);
	}
}

static void commit_offsets(struct txn *txn)
{
	struct list *pos;

	list_each(pos, &txn->offsets) {
		struct txn_offset *o = list_entry(pos, struct txn_offset, node);
		struct coord_group *group = coord_open(txn->sb, str_of(o->group));
		struct coord_offset value = { .offset = o->offset, .leader_epoch = o->leader_epoch,
					      .metadata = o->metadata };

		if (group != NULL)
			coord_offset_put(group, str_of(o->topic), o->partition, &value);
	}
}

static void complete(struct txn *txn, bool commit)
{
	write_markers(txn, commit);
	if (commit)
		commit_offsets(txn);
	clear(txn);
	txn->state = commit ? TXN_COMMITTED : TXN_ABORTED;
}

/* An open transaction is aborted under the next epoch, so that its producer is fenced. */
static void fence(struct txn *txn)
{
	txn->epoch++;
	txn->last_epoch = -1;
	complete(txn, false);
}

static void timed_out(struct tick *tick)
{
	fence(container_of(tick, struct txn, timer));
}

static struct txn *txn_open(struct sandbox *sb, struct str id)
{
	struct txn *txn = txn_find(sb, id);

	if (txn != NULL)
		return txn;
	if (!store_charge(&sb->store, TXN_COST + (size_t)id.len))
		return NULL;
	txn = xcalloc(1, sizeof(*txn));
	txn->sb = sb;
	txn->id = str_dup(id);
	txn->producer_id = sb->next_producer_id++;
	txn->last_producer_id = -1;
	txn->epoch = txn->last_epoch = -1;
	txn->started_ms = -1;
	txn->timer.fire = timed_out;
	list_init(&txn->offsets);
	map_put(&sb->txns, txn->id, (size_t)id.len, txn);
	return txn;
}

/* Whether the client may be the id's producer: of the present producer id, or of the one that was used up. */
static bool may_go_on(const struct txn *txn, const struct txn_claim *claim)
{
	return claim->producer_id < 0 || txn->epoch < 0 || claim->producer_id == txn->producer_id ||
	       (claim->producer_id == txn->last_producer_id && claim->epoch >= EPOCH_LAST);
}

/* Text; keys of maps are as long as the C string. */
static bool id_ok(struct str id)
{
	return id.len > 0 && memchr(id.data, '\0', (size_t)id.len) == NULL;
}

/* The next epoch, or the same answer again for a client that did not get it. */
static int16_t raise_epoch(struct txn *txn, const struct txn_claim *claim)
{
	if (claim->producer_id >= 0 && txn->epoch >= 0 && claim->epoch != txn->epoch)
		return claim->epoch == txn->last_epoch ? KERR_NONE : KERR_PRODUCER_FENCED;
	if (txn->epoch >= EPOCH_LAST) {
		txn->last_producer_id = txn->producer_id;
		txn->producer_id = txn->sb->next_producer_id++;
		txn->epoch = 0;
		txn->last_epoch = -1;
	} else {
		txn->last_epoch = claim->producer_id >= 0 ? txn->epoch : -1;
		txn->epoch++;
	}
	txn->state = TXN_EMPTY;
	txn->started_ms = -1;
	return KERR_NONE;
}

int16_t txn_init(struct sandbox *sb, const struct txn_claim *claim, int32_t timeout_ms, struct txn **txn)
{
	if (!id_ok(claim->id) || (claim->producer_id < 0) != (claim->epoch < 0))
		return KERR_INVALID_REQUEST;
	if (timeout_ms <= 0 || timeout_ms > TIMEOUT_MAX_MS)
		return KERR_INVALID_TRANSACTION_TIMEOUT;
	*txn = txn_open(sb, claim->id);
	if (*txn == NULL)
		return KERR_KAFKA_STORAGE_ERROR;
	if (!may_go_on(*txn, claim))
		return KERR_PRODUCER_FENCED;
	if ((*txn)->state == TXN_ONGOING) {
		fence(*txn);
		return KERR_CONCURRENT_TRANSACTIONS;
	}
	(*txn)->timeout_ms = timeout_ms;
	return raise_epoch(*txn, claim);
}

int16_t txn_check(struct sandbox *sb, const struct txn_claim *claim, struct txn **txn)
{
	*txn = txn_find(sb, claim->id);
	if (!id_ok(claim->id))
		return KERR_INVALID_REQUEST;
	if (*txn == NULL || (*txn)->producer_id != claim->producer_id)
		return KERR_INVALID_PRODUCER_ID_MAPPING;
	return (*txn)->epoch == claim->epoch ? KERR_NONE : KERR_PRODUCER_FENCED;
}

int16_t txn_code(int16_t code, int16_t version, int16_t since)
{
	return code == KERR_PRODUCER_FENCED && version < since ? KERR_INVALID_PRODUCER_EPOCH : code;
}

static void begin(struct txn *txn)
{
	if (txn->state == TXN_ONGOING)
		return;
	txn->state = TXN_ONGOING;
	txn->started_ms = txn->sb->wall_ms;
	tick_set(&txn->sb->ticker, &txn->timer, txn->sb->now_ms + txn->timeout_ms);
}

bool txn_has_partition(const struct txn *txn, struct str topic, int32_t index)
{
	for (int32_t i = 0; i < txn->n_partitions; i++)
		if (txn->partitions[i].index == index && str_is(topic, txn->partitions[i].topic))
			return true;
	return false;
}

void txn_add_partition(struct txn *txn, struct str topic, int32_t index)
{
	begin(txn);
	if (txn_has_partition(txn, topic, index))
		return;
	txn->sb->store.memory += TXN_PARTITION_COST;
	txn->partitions = xrealloc(txn->partitions, (size_t)txn->n_partitions + 1, sizeof(*txn->partitions));
	txn->partitions[txn->n_partitions++] = (struct txn_partition){ str_dup(topic), index };
}

bool txn_has_group(const struct txn *txn, struct str group)
{
	for (int32_t i = 0; i < txn->n_groups; i++)
		if (str_is(group, txn->groups[i]))
			return true;
	return false;
}

void txn_add_group(struct txn *txn, struct str group)
{
	begin(txn);
	if (txn_has_group(txn, group))
		return;
	txn->sb->store.memory += TXN_PARTITION_COST;
	txn->groups = xrealloc(txn->groups, (size_t)txn->n_groups + 1, sizeof(*txn->groups));
	txn->groups[txn->n_groups++] = str_dup(group);
}

static struct txn_offset *find_offset(const struct txn *txn, struct str group, struct str topic, int32_t partition)
{
	struct list *pos;

	list_each(pos, &txn->offsets) {
		struct txn_offset *o = list_entry(pos, struct txn_offset, node);

		if (o->partition == partition && str_is(topic, o->topic) && str_is(group, o->group))
			return o;
	}
	return NULL;
}

bool txn_put_offset(struct txn *txn, struct str group, struct str topic, const struct coord_offset *value)
{
	struct txn_offset *old = find_offset(txn, group, topic, value->partition), *o;

	if (!store_charge(&txn->sb->store, TXN_OFFSET_COST + strlen(value->metadata)))
		return false;
	if (old != NULL)
		offset_free(txn, old);
	o = xcalloc(1, sizeof(*o));
	o->group = str_dup(group);
	o->topic = str_dup(topic);
	o->partition = value->partition;
	o->offset = value->offset;
	o->leader_epoch = value->leader_epoch;
	o->metadata = xstrdup(value->metadata);
	list_push_back(&txn->offsets, &o->node);
	return true;
}

bool txn_offset_pending(struct sandbox *sb, struct str group, struct str topic, int32_t partition)
{
	struct txn *txn;
	size_t at = 0;

	while ((txn = map_next(&sb->txns, &at)) != NULL)
		if (find_offset(txn, group, topic, partition) != NULL)
			return true;
	return false;
}

int16_t txn_end(struct txn *txn, bool commit)
{
	if (txn->state != TXN_ONGOING)
		return txn->state == (commit ? TXN_COMMITTED : TXN_ABORTED) ? KERR_NONE : KERR_INVALID_TXN_STATE;
	complete(txn, commit);
	return KERR_NONE;
}
