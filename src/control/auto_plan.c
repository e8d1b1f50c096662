/* SPDX-License-Identifier: Apache-2.0 */
#include "control/auto_plan.h"

#include "base/mem.h"
#include "control/link_conf.h"

#include <string.h>

enum found { FOUND_NOTHING, FOUND_CREATE, FOUND_EXISTS, FOUND_OTHER, FOUND_NARROWED };

static bool in(const json_t *set, const char *name)
{
	return json_object_get(set, name) != NULL;
}

static enum found judge(const struct topic_rules *rules, const struct auto_seen *seen, const struct admin_topic *topic,
			const char *mirror)
{
	enum topic_match match = topic->internal || topic->error != 0 ? TOPIC_OUT : topic_rules_match(rules, topic->name);
	const char *owner = json_string_value(json_object_get(seen->mirrors_here, mirror));

	if (match == TOPIC_OUT || in(seen->sources, topic->name) || in(seen->forgotten, mirror) ||
	    in(seen->mirrors_there, topic->name))
		return FOUND_NOTHING;
	if (seen->mirrors_there == NULL && match == TOPIC_WIDE)
		return FOUND_NARROWED;
	if (in(seen->unfinished, mirror))
		return FOUND_CREATE;
	if (owner != NULL)
		return FOUND_OTHER;
	return in(seen->topics_here, mirror) ? FOUND_EXISTS : FOUND_CREATE;
}

static void put(struct auto_item *list, int *n, const struct admin_topic *source, const char *mirror, struct arena *arena)
{
	list[(*n)++] = (struct auto_item){ .source = source->name, .mirror = arena_strdup(arena, mirror),
					   .n_partitions = source->n_partitions };
}

struct auto_plan auto_plan(const struct topic_rules *rules, const struct auto_seen *seen, struct arena *arena)
{
	struct auto_plan plan = {
		.create = arena_new(arena, struct auto_item, seen->n), .exists = arena_new(arena, struct auto_item, seen->n),
	};

	for (int i = 0; i < seen->n; i++) {
		char *mirror = topic_rules_mirror(rules, seen->topics[i].name);

		switch (judge(rules, seen, &seen->topics[i], mirror)) {
		case FOUND_CREATE:
			put(plan.create, &plan.n_create, &seen->topics[i], mirror, arena);
			break;
		case FOUND_OTHER:
			put(plan.exists, &plan.n_exists, &seen->topics[i], mirror, arena);
			plan.exists[plan.n_exists - 1].other = true;
			break;
		case FOUND_EXISTS:
			put(plan.exists, &plan.n_exists, &seen->topics[i], mirror, arena);
			break;
		case FOUND_NARROWED:
			plan.narrowed = true;
			break;
		case FOUND_NOTHING:
			break;
		}
		xfree(mirror);
	}
	return plan;
}

bool auto_plan_any(const struct topic_rules *rules, const struct auto_seen *seen)
{
	struct auto_seen all = *seen;
	struct arena arena;
	struct auto_plan plan;
	json_t *none = json_object();
	bool any;

	all.mirrors_there = none;
	arena_init(&arena, 0);
	plan = auto_plan(rules, &all, &arena);
	any = plan.n_create > 0 || plan.n_exists > 0;
	arena_fini(&arena);
	json_decref(none);
	return any;
}
