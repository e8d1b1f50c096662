/* SPDX-License-Identifier: Apache-2.0 */
#include "control/mirror_heads.h"

#include "base/mem.h"
#include "client/admin.h"
#include "mirror/seed.h"

#include <string.h>

/* [n] of all partitions of all topics, one behind the other; -1: there is none, or no answer. Without an answer the
 * topic's outcome is a failure. */
static void ask(struct cluster *source, struct mirror_heads_of *ofs, int n, int64_t timestamp, int64_t deadline_ns,
		int64_t *offsets)
{
	struct admin_offsets all = { .timestamp = timestamp, .replica_id = ADMIN_CONSUMER };
	struct err err = { 0 };
	int at = 0;

	for (int i = 0; i < n; i++)
		all.n += ofs[i].outcome == OUTCOME_DONE ? ofs[i].heads->n : 0;
	all.items = xcalloc((size_t)all.n + 1, sizeof(*all.items));
	for (int i = 0; i < n; i++)
		for (int32_t p = 0; p < ofs[i].heads->n && ofs[i].outcome == OUTCOME_DONE; p++)
			all.items[at++] = (struct admin_offset){ .topic = ofs[i].topic, .partition = p };
	if (all.n > 0 && admin_list_offsets(source, &all, deadline_ns, &err) == RC_OK)
		err.rc = RC_OK;
	at = 0;
	for (int i = 0, put = 0; i < n; put += ofs[i++].heads->n) {
		bool open = ofs[i].outcome == OUTCOME_DONE;

		for (int32_t p = 0; p < ofs[i].heads->n && open; p++, at++) {
			offsets[put + p] = all.items[at].error == 0 ? all.items[at].offset : -1;
			if (err.rc == RC_OK || all.items[at].error == 0)
				continue;
			ofs[i].err = err;
			ofs[i].outcome = outcome_of(&err, SIDE_SOURCE);
		}
	}
	xfree(all.items);
}

/* Never below the log start; where nothing is as young as the time, at the end. */
static void choose(const struct start_spec *spec, int64_t *starts, const int64_t *ends, const int64_t *wanted, int n)
{
	for (int i = 0; i < n; i++) {
		int64_t at = spec->kind == START_TIME && wanted[i] >= 0 ? wanted[i] : ends[i];

		if (spec->kind != START_EARLIEST)
			starts[i] = MAX(starts[i], at);
	}
}

static enum outcome check_limit(const char *topic, const struct mirror_heads *heads, struct err *err)
{
	int64_t seconds, mib;

	for (int32_t i = 0; i < heads->n; i++) {
		if (heads->starts[i] <= heads->fill_limit)
			continue;
		seed_estimate(heads->starts[i], &seconds, &mib);
		err_set(err, RC_REFUSED, "partition %d of %s begins at offset %lld: so many offsets are to be seeded, which "
			"takes about %lld s and %lld MiB; mirror.fill.limit is %lld", i, topic,
			(long long)heads->starts[i], (long long)seconds, (long long)mib, (long long)heads->fill_limit);
		err_hint(err, "raise it with `krmirror link configuration update`, or mirror.fill.limit in the "
			 "link's configuration");
		return OUTCOME_REFUSED;
	}
	return OUTCOME_DONE;
}

void mirror_heads_find_all(struct cluster *source, struct mirror_heads_of *ofs, int n, int64_t deadline_ns)
{
	const struct start_spec *spec = &ofs[0].heads->spec;
	int64_t *starts, *ends, *wanted;
	int total = 0, at = 0;

	for (int i = 0; i < n; i++)
		total += ofs[i].heads->n;
	starts = xcalloc((size_t)total * 3 + 1, sizeof(*starts));
	ends = starts + total;
	wanted = ends + total;
	ask(source, ofs, n, ADMIN_EARLIEST, deadline_ns, starts);
	if (spec->kind != START_EARLIEST)
		ask(source, ofs, n, ADMIN_LATEST, deadline_ns, ends);
	if (spec->kind == START_TIME)
		ask(source, ofs, n, spec->time_ms, deadline_ns, wanted);
	choose(spec, starts, ends, wanted, total);
	for (int i = 0; i < n; at += ofs[i++].heads->n) {
		if (ofs[i].outcome != OUTCOME_DONE)
			continue;
		if (ofs[i].heads->n > 0)
			memcpy(ofs[i].heads->starts, starts + at, (size_t)ofs[i].heads->n * sizeof(*starts));
		ofs[i].outcome = check_limit(ofs[i].topic, ofs[i].heads, &ofs[i].err);
	}
	xfree(starts);
}

enum outcome mirror_heads_find(struct cluster *source, const char *topic, struct mirror_heads *heads,
			       int64_t deadline_ns, struct err *err)
{
	struct mirror_heads_of of = { .topic = topic, .heads = heads };

	mirror_heads_find_all(source, &of, 1, deadline_ns);
	if (of.outcome != OUTCOME_DONE)
		*err = of.err;
	return of.outcome;
}

json_t *mirror_heads_record(const struct mirror_heads *heads)
{
	json_t *object;
	char name[16];

	if (heads->spec.kind == START_EARLIEST || heads->n == 0)
		return NULL;
	object = json_object();
	for (int32_t i = 0; i < heads->n; i++) {
		snprintf(name, sizeof(name), "%d", i);
		CHECK(json_object_set_new(object, name, json_integer(heads->starts[i])) == 0);
	}
	return object;
}

void mirror_heads_tell(const struct mirror_heads *heads, struct notes *notes)
{
	int64_t sum = 0, seconds, mib;
	int32_t n = 0;

	for (int32_t i = 0; i < heads->n; i++) {
		sum += heads->starts[i];
		n += heads->starts[i] > 0;
	}
	if (sum == 0)
		return;
	seed_estimate(sum, &seconds, &mib);
	notes_add(notes, "%d of %d partitions begin above offset 0: %lld offsets are seeded first, which takes about "
		  "%lld s and %lld MiB at the destination", n, heads->n, (long long)sum, (long long)seconds,
		  (long long)mib);
}
