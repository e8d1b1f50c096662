/* SPDX-License-Identifier: Apache-2.0 */
#include "base/map.h"

#include "base/mem.h"

#include <string.h>

/* Open addressing with linear probing; a deleted slot keeps key NULL and len 1 until the next growth. */
enum { SLOTS_MIN = 16, DELETED_LEN = 1 };

uint64_t hash_bytes(const void *data, size_t len)
{
	const uint8_t *p = data;
	uint64_t h = UINT64_C(0xcbf29ce484222325);

	for (size_t i = 0; i < len; i++)
		h = (h ^ p[i]) * UINT64_C(0x100000001b3);
	h ^= h >> 32;
	return h * UINT64_C(0x9e3779b97f4a7c15);
}

void map_fini(struct map *map)
{
	xfree(map->slots_);
	*map = (struct map){ 0 };
}

static bool slot_is(const struct map_slot *s, const void *key, size_t len, uint64_t hash)
{
	return s->key != NULL && s->hash == hash && s->len == len && memcmp(s->key, key, len) == 0;
}

static struct map_slot *find(const struct map *map, const void *key, size_t len, uint64_t hash)
{
	size_t mask = map->n_slots_ - 1;

	if (map->n_slots_ == 0)
		return NULL;
	for (size_t i = hash & mask;; i = (i + 1) & mask) {
		struct map_slot *s = &map->slots_[i];

		if (slot_is(s, key, len, hash))
			return s;
		if (s->key == NULL && s->len != DELETED_LEN)
			return NULL;
	}
}

static void insert(struct map *map, const struct map_slot *entry)
{
	size_t mask = map->n_slots_ - 1, i = entry->hash & mask;

	while (map->slots_[i].key != NULL)
		i = (i + 1) & mask;
	if (map->slots_[i].len != DELETED_LEN)
		map->n_used_++;
	map->slots_[i] = *entry;
	map->n_live_++;
}

static void grow(struct map *map)
{
	struct map_slot *old = map->slots_;
	size_t n = map->n_slots_, want = SLOTS_MIN;

	while (want < map->n_live_ * 4)
		want *= 2;
	map->slots_ = xcalloc(want, sizeof(*map->slots_));
	map->n_slots_ = want;
	map->n_used_ = map->n_live_ = 0;
	for (size_t i = 0; i < n; i++)
		if (old[i].key != NULL)
			insert(map, &old[i]);
	xfree(old);
}

void *map_get(const struct map *map, const void *key, size_t len)
{
	struct map_slot *s = find(map, key, len, hash_bytes(key, len));

	return s != NULL ? s->value : NULL;
}

void *map_put(struct map *map, const void *key, size_t len, void *value)
{
	struct map_slot entry = { key, len, hash_bytes(key, len), value };
	struct map_slot *s = find(map, key, len, entry.hash);
	void *old;

	if (s != NULL) {
		old = s->value;
		*s = entry;
		return old;
	}
	if (map->n_used_ * 2 >= map->n_slots_)
		grow(map);
	insert(map, &entry);
	return NULL;
}

void *map_del(struct map *map, const void *key, size_t len)
{
	struct map_slot *s = find(map, key, len, hash_bytes(key, len));
	void *old;

	if (s == NULL)
		return NULL;
	old = s->value;
	*s = (struct map_slot){ .len = DELETED_LEN };
	map->n_live_--;
	return old;
}

size_t map_count(const struct map *map)
{
	return map->n_live_;
}

void *map_next(const struct map *map, size_t *at)
{
	while (*at < map->n_slots_) {
		struct map_slot *s = &map->slots_[(*at)++];

		if (s->key != NULL)
			return s->value;
	}
	return NULL;
}
