/* SPDX-License-Identifier: Apache-2.0 */
#include "sandbox/fetch_session.h"

#include "base/mem.h"

enum { SESSION_COST = 512, ENTRY_COST = 384, KEY_MAX = 512 };

void fetch_sessions_init(struct fetch_sessions *all)
{
	*all = (struct fetch_sessions){ 0 };
	list_init(&all->order);
}

void fetch_sessions_fini(struct fetch_sessions *all, struct store *store)
{
	while (!list_empty(&all->order))
		fetch_session_remove(all, store, list_first(&all->order, struct fetch_session, node));
	map_fini(&all->by_id);
}

struct fetch_session *fetch_session_find(const struct fetch_sessions *all, int32_t id)
{
	return map_get(&all->by_id, &id, sizeof(id));
}

struct fetch_session *fetch_session_create(struct fetch_sessions *all, struct store *store, int32_t id,
					   int64_t now_ms)
{
	struct fetch_session *session;

	if (map_count(&all->by_id) >= FETCH_SESSIONS_MAX) {
		session = list_entry(all->order.next, struct fetch_session, node);
		if (now_ms - session->used_at_ms < FETCH_SESSION_EVICT_MS)
			return NULL;
		fetch_session_remove(all, store, session);
	}
	if (!store_charge(store, SESSION_COST))
		return NULL;
	session = xcalloc(1, sizeof(*session));
	session->id = id;
	session->epoch = 1;
	session->used_at_ms = now_ms;
	list_init(&session->entries);
	list_push_back(&all->order, &session->node);
	map_put(&all->by_id, &session->id, sizeof(session->id), session);
	return session;
}

static void entry_free(struct fetch_session *session, struct store *store, struct fetch_entry *entry)
{
	map_del(&session->by_key, entry->key, entry->key_len);
	list_del(&entry->node);
	store_release(store, ENTRY_COST);
	xfree(entry);
}

void fetch_session_remove(struct fetch_sessions *all, struct store *store, struct fetch_session *session)
{
	while (!list_empty(&session->entries))
		entry_free(session, store, list_first(&session->entries, struct fetch_entry, node));
	map_fini(&session->by_key);
	map_del(&all->by_id, &session->id, sizeof(session->id));
	list_del(&session->node);
	store_release(store, SESSION_COST);
	xfree(session);
}

void fetch_session_touch(struct fetch_sessions *all, struct fetch_session *session, int64_t now_ms)
{
	list_del(&session->node);
	list_push_back(&all->order, &session->node);
	session->used_at_ms = now_ms;
}

/* Topic names are bounded by the caller (topic_name_ok), so a key fits. */
static size_t make_key(const struct fetch_session *session, const struct fetch_item *item, uint8_t key[KEY_MAX])
{
	size_t n = 0;

	memcpy(key, &item->partition, sizeof(item->partition));
	n += sizeof(item->partition);
	if (session->uses_ids) {
		memcpy(key + n, item->topic_id.b, sizeof(item->topic_id.b));
		return n + sizeof(item->topic_id.b);
	}
	memcpy(key + n, item->topic.data, (size_t)MIN(item->topic.len, KEY_MAX - 8));
	return n + (size_t)MIN(item->topic.len, KEY_MAX - 8);
}

struct fetch_entry *fetch_session_entry(const struct fetch_session *session, const struct fetch_item *item)
{
	uint8_t key[KEY_MAX];
	size_t len = make_key(session, item, key);

	return map_get(&session->by_key, key, len);
}

bool fetch_session_put(struct fetch_session *session, struct store *store, const struct fetch_item *item)
{
	struct fetch_entry *entry = fetch_session_entry(session, item);
	uint8_t key[KEY_MAX];

	if (entry == NULL) {
		size_t len = make_key(session, item, key);

		if (!store_charge(store, ENTRY_COST))
			return false;
		entry = xcalloc(1, sizeof(*entry) + len);
		memcpy(entry->key, key, len);
		entry->key_len = len;
		entry->high_watermark = entry->log_start_offset = -1;
		list_push_back(&session->entries, &entry->node);
		map_put(&session->by_key, entry->key, len, entry);
	}
	entry->item = *item;
	if (!session->uses_ids)
		entry->item.topic = (struct str){ (const char *)entry->key + sizeof(item->partition),
						  (int32_t)(entry->key_len - sizeof(item->partition)) };
	else
		entry->item.topic = STR_NULL;
	return true;
}

void fetch_session_forget(struct fetch_session *session, struct store *store, const struct fetch_item *item)
{
	struct fetch_entry *entry = fetch_session_entry(session, item);

	if (entry != NULL)
		entry_free(session, store, entry);
}

void fetch_session_rotate(struct fetch_session *session, struct fetch_entry *entry)
{
	list_del(&entry->node);
	list_push_back(&session->entries, &entry->node);
}

int32_t fetch_epoch_next(int32_t epoch)
{
	return epoch == INT32_MAX ? 1 : epoch + 1;
}
