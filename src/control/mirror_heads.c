/* SPDX-License-Identifier: Apache-2.0 */
#include "control/mirror_heads.h"

#include "base/mem.h"
#include "client/admin.h"
#include "control/verbs.h"
#include "mirror/seed.h"

static int ask(struct cluster *source, const char *topic, int64_t timestamp, int32_t n, int64_t *offsets,
	       int64_t deadline_ns, struct err *err)
{
	const struct ends_of what = { topic, n, timestamp, ADMIN_CONSUMER, 0 };

	return topic_ends(source, &what, deadline_ns, offsets, err);
}

/* Never below the log start; where nothing is as young as the time, at the end. */
static int choose(struct cluster *source, const char *topic, struct mirror_heads *heads, int64_t deadline_ns,
		  struct err *err)
{
	int64_t *wanted = xcalloc((size_t)heads->n, sizeof(*wanted)), *ends = xcalloc((size_t)heads->n, sizeof(*ends));
	int rc = ask(source, topic, ADMIN_LATEST, heads->n, ends, deadline_ns, err);

	if (rc == RC_OK && heads->spec.kind == START_TIME)
		rc = ask(source, topic, heads->spec.time_ms, heads->n, wanted, deadline_ns, err);
	for (int32_t i = 0; i < heads->n && rc == RC_OK; i++) {
		int64_t at = heads->spec.kind == START_TIME && wanted[i] >= 0 ? wanted[i] : ends[i];

		heads->starts[i] = MAX(heads->starts[i], at);
	}
	xfree(wanted);
	xfree(ends);
	return rc;
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

enum outcome mirror_heads_find(struct cluster *source, const char *topic, struct mirror_heads *heads,
			       int64_t deadline_ns, struct err *err)
{
	int rc = ask(source, topic, ADMIN_EARLIEST, heads->n, heads->starts, deadline_ns, err);

	if (rc == RC_OK && heads->spec.kind != START_EARLIEST)
		rc = choose(source, topic, heads, deadline_ns, err);
	return rc == RC_OK ? check_limit(topic, heads, err) : outcome_of(err, SIDE_SOURCE);
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
