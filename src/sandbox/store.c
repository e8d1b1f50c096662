/* SPDX-License-Identifier: Apache-2.0 */
#include "sandbox/store.h"

#include "base/mem.h"
#include "wire/msg/kerr_codes.h"

void store_init(struct store *store, size_t memory_limit)
{
	*store = (struct store){ .memory_limit = memory_limit };
	list_init(&store->dirty);
}

static void partition_free(struct store *store, struct partition *p)
{
	CHECK(list_empty(&p->waiters));
	for (size_t i = 0; plog_at(&p->log, i) != NULL; i++)
		store_release(store, BATCH_COST);
	store_release(store, PARTITION_COST + p->log.bytes + p->producers.n * PRODUCER_COST);
	list_del(&p->dirty_node);
	plog_fini(&p->log);
	producers_fini(&p->producers);
	aborted_fini(&p->aborted);
	xfree(p);
}

void store_free(struct store *store, struct topic *topic)
{
	for (int32_t i = 0; i < topic->n_partitions; i++)
		partition_free(store, topic->partitions[i]);
	store_release(store, TOPIC_COST);
	topic_config_fini(&topic->config);
	xfree(topic->partitions);
	xfree(topic->name);
	xfree(topic);
}

void store_fini(struct store *store)
{
	for (int32_t i = 0; i < store->n_topics; i++)
		store_free(store, store->topics[i]);
	xfree(store->topics);
}

bool store_charge(struct store *store, size_t bytes)
{
	if (store->memory_limit != 0 && bytes > store->memory_limit - MIN(store->memory, store->memory_limit))
		return false;
	store->memory += bytes;
	return true;
}

void store_release(struct store *store, size_t bytes)
{
	CHECK(bytes <= store->memory);
	store->memory -= bytes;
}

static int compare(struct str name, const char *other)
{
	size_t len = strlen(other);
	int c = memcmp(name.data, other, MIN((size_t)name.len, len));

	return c != 0 ? c : name.len < (int32_t)len ? -1 : name.len > (int32_t)len;
}

/* The first place whose name is not below name. */
static int32_t place_of(const struct store *store, struct str name)
{
	int32_t low = 0, high = store->n_topics;

	while (low < high) {
		int32_t mid = low + (high - low) / 2;

		if (compare(name, store->topics[mid]->name) > 0)
			low = mid + 1;
		else
			high = mid;
	}
	return low;
}

struct topic *store_topic(const struct store *store, struct str name)
{
	int32_t at;

	if (name.len <= 0)
		return NULL;
	at = place_of(store, name);
	return at < store->n_topics && str_is(name, store->topics[at]->name) ? store->topics[at] : NULL;
}

struct topic *store_topic_by_id(const struct store *store, const struct uuid *id)
{
	for (int32_t i = 0; i < store->n_topics; i++)
		if (uuid_eq(&store->topics[i]->id, id))
			return store->topics[i];
	return NULL;
}

struct partition *topic_partition(const struct topic *topic, int32_t index)
{
	return topic != NULL && index >= 0 && index < topic->n_partitions ? topic->partitions[index] : NULL;
}

struct partition *store_partition(const struct store *store, struct str topic, int32_t index)
{
	return topic_partition(store_topic(store, topic), index);
}

int16_t partition_check_epoch(const struct partition *p, int32_t current_leader_epoch)
{
	if (current_leader_epoch < 0 || current_leader_epoch == p->leader_epoch)
		return KERR_NONE;
	return current_leader_epoch < p->leader_epoch ? KERR_FENCED_LEADER_EPOCH : KERR_UNKNOWN_LEADER_EPOCH;
}

int64_t partition_stable(const struct partition *p)
{
	/* DeleteRecords may have taken the beginning of an open transaction. */
	return MIN(p->log.end_offset, MAX(p->log.start_offset, producers_first_open(&p->producers)));
}

bool topic_name_ok(struct str name)
{
	if (name.len < 1 || name.len > 249 || str_is(name, ".") || str_is(name, ".."))
		return false;
	for (int32_t i = 0; i < name.len; i++) {
		char c = name.data[i];

		if (!((c >= 'a' && c <= 'z') || (c >= 'A' && c <= 'Z') || (c >= '0' && c <= '9') || c == '.' ||
		      c == '_' || c == '-'))
			return false;
	}
	return true;
}

static bool collides(struct str a, const char *b)
{
	if (strlen(b) != (size_t)a.len)
		return false;
	for (int32_t i = 0; i < a.len; i++)
		if (a.data[i] != b[i] && !((a.data[i] == '.' && b[i] == '_') || (a.data[i] == '_' && b[i] == '.')))
			return false;
	return true;
}

const struct topic *store_collision(const struct store *store, struct str name)
{
	for (int32_t i = 0; i < store->n_topics; i++)
		if (!str_is(name, store->topics[i]->name) && collides(name, store->topics[i]->name))
			return store->topics[i];
	return NULL;
}

struct topic *store_add(struct store *store, struct str name, const struct uuid *id, int32_t n_partitions,
			const struct topic_config *config)
{
	struct topic *topic;
	int32_t at = place_of(store, name);

	if (!store_charge(store, TOPIC_COST))
		return NULL;
	topic = xcalloc(1, sizeof(*topic));
	topic->name = str_dup(name);
	topic->id = *id;
	topic_config_copy(&topic->config, config);
	if (!store_grow(store, topic, n_partitions)) {
		store_free(store, topic);
		return NULL;
	}
	store->topics = xrealloc(store->topics, (size_t)store->n_topics + 1, sizeof(struct topic *));
	memmove(store->topics + at + 1, store->topics + at, (size_t)(store->n_topics - at) * sizeof(struct topic *));
	store->topics[at] = topic;
	store->n_topics++;
	return topic;
}

bool store_grow(struct store *store, struct topic *topic, int32_t n_partitions)
{
	CHECK(n_partitions >= topic->n_partitions && n_partitions <= PARTITIONS_MAX);
	if (!store_charge(store, (size_t)(n_partitions - topic->n_partitions) * PARTITION_COST))
		return false;
	topic->partitions = xrealloc(topic->partitions, (size_t)n_partitions, sizeof(struct partition *));
	while (topic->n_partitions < n_partitions) {
		struct partition *p = xcalloc(1, sizeof(*p));

		p->topic = topic;
		p->index = topic->n_partitions;
		plog_init(&p->log);
		plog_epoch_begin(&p->log, p->leader_epoch);
		producers_init(&p->producers);
		aborted_init(&p->aborted);
		list_init(&p->waiters);
		list_init(&p->dirty_node);
		topic->partitions[topic->n_partitions++] = p;
	}
	return true;
}

void store_unlink(struct store *store, struct topic *topic)
{
	int32_t at = place_of(store, str_of(topic->name));

	CHECK(store->topics[at] == topic);
	store->n_topics--;
	memmove(store->topics + at, store->topics + at + 1, (size_t)(store->n_topics - at) * sizeof(struct topic *));
}

void store_appended(struct store *store, struct partition *p, size_t bytes)
{
	p->appended += bytes;
	if (!list_linked(&p->dirty_node))
		list_push_back(&store->dirty, &p->dirty_node);
}
