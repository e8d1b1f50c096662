/* SPDX-License-Identifier: Apache-2.0 */
/* A table from byte strings to pointers. Keys are not copied: they must live, unchanged, as long as their entry;
 * usually they are part of the value. */
#pragma once

#include <stdbool.h>
#include <stddef.h>
#include <stdint.h>

struct map_slot {
	const void *key;
	size_t len;
	uint64_t hash;
	void *value;
};

/* Zeroed is empty. */
struct map {
	/* private */
	struct map_slot *slots_;
	size_t n_slots_, n_used_, n_live_;
};

void map_fini(struct map *map);
/* NULL when absent. */
void *map_get(const struct map *map, const void *key, size_t len);
/* value must not be NULL. The value that stood under the key before, or NULL. */
void *map_put(struct map *map, const void *key, size_t len, void *value);
/* The value that was removed, or NULL. */
void *map_del(struct map *map, const void *key, size_t len);
size_t map_count(const struct map *map);
/* Walks the values in no particular order: start with *at 0; NULL at the end. Entries may be deleted meanwhile, not
 * added. */
void *map_next(const struct map *map, size_t *at);

uint64_t hash_bytes(const void *data, size_t len);
