/* SPDX-License-Identifier: Apache-2.0 */
#include "sandbox/coord.h"

enum { OFFSET_COST = 256, KEY_MAX = 260 };

/* Topic names are those of topics that exist, so a key fits. */
static size_t make_key(struct str topic, int32_t partition, uint8_t key[KEY_MAX])
{
	size_t n = (size_t)MIN(topic.len, KEY_MAX - 4);

	memcpy(key, &partition, sizeof(partition));
	if (n > 0)
		memcpy(key + sizeof(partition), topic.data, n);
	return sizeof(partition) + n;
}

struct coord_offset *coord_offset(const struct coord_group *group, struct str topic, int32_t partition)
{
	uint8_t key[KEY_MAX];
	size_t len = make_key(topic, partition, key);

	return map_get(&group->offsets, key, len);
}

static void offset_free(struct coord_group *group, struct coord_offset *o)
{
	store_release(&group->sb->store, OFFSET_COST + strlen(o->metadata));
	xfree(o->topic);
	xfree(o->metadata);
	xfree(o);
}

bool coord_offset_put(struct coord_group *group, struct str topic, int32_t partition,
		      const struct coord_offset *value)
{
	uint8_t key[KEY_MAX];
	size_t len = make_key(topic, partition, key);
	struct coord_offset *old, *o;

	if (!store_charge(&group->sb->store, OFFSET_COST + strlen(value->metadata)))
		return false;
	old = map_del(&group->offsets, key, len);
	if (old != NULL)
		offset_free(group, old);
	o = xcalloc(1, sizeof(*o) + len);
	o->topic = str_dup(topic);
	o->partition = partition;
	o->offset = value->offset;
	o->leader_epoch = value->leader_epoch;
	o->metadata = xstrdup(value->metadata);
	o->key_len = len;
	memcpy(o->key, key, len);
	map_put(&group->offsets, o->key, len, o);
	return true;
}

static int by_topic(const void *a, const void *b)
{
	const struct coord_offset *x = *(struct coord_offset *const *)a, *y = *(struct coord_offset *const *)b;
	int c = strcmp(x->topic, y->topic);

	return c != 0 ? c : (x->partition > y->partition) - (x->partition < y->partition);
}

struct coord_offset **coord_offsets(const struct coord_group *group, size_t *n)
{
	struct coord_offset **all = xcalloc(map_count(&group->offsets), sizeof(struct coord_offset *));
	struct coord_offset *o;
	size_t at = 0;

	*n = 0;
	for (o = map_next(&group->offsets, &at); o != NULL; o = map_next(&group->offsets, &at))
		all[(*n)++] = o;
	qsort(all, *n, sizeof(struct coord_offset *), by_topic);
	return all;
}

void coord_offsets_fini(struct coord_group *group)
{
	struct coord_offset *o;
	size_t at = 0;

	for (o = map_next(&group->offsets, &at); o != NULL; o = map_next(&group->offsets, &at)) {
		map_del(&group->offsets, o->key, o->key_len);
		offset_free(group, o);
	}
	map_fini(&group->offsets);
}
