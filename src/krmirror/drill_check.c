/* SPDX-License-Identifier: Apache-2.0 */
/* What came over is read from both sides: up to where the mirror got, each offset holds the same record, none is
 * missing and none is there twice; what was acknowledged at the source before the decision and did not get over is
 * what a failover costs. */
#include "krmirror/drill.h"

#include "base/clock.h"
#include "base/mem.h"
#include "client/admin_groups.h"
#include "krmirror/both.h"

#include <string.h>

enum { PATIENCE_MS = 10000, BYTES_MAX = 1 << 20 };

/* --- one side ---------------------------------------------------------------------------------------------------- */

struct walk {
	const char *topic;
	int32_t partition;
	int64_t from, to;
	/* results */
	int64_t records, last;       /* offset of the last one; -1: none */
	bool gap;                    /* offsets without a record between them */
	bool ready;
};

static void ready(void *owner)
{
	((struct walk *)owner)->ready = true;
}

/* Reads the destination as a consumer does. */
static enum outcome walk(struct drill *d, struct walk *walk, struct err *err)
{
	struct stream_opts opts = {
		.cluster = d->session->destination, .pool = d->session->pool, .topic = walk->topic,
		.partition = walk->partition, .bytes_max = BYTES_MAX, .patience_ms = PATIENCE_MS, .ready = ready, .owner = walk,
	};
	struct stream *stream = stream_create(&opts);
	enum stream_result result = STREAM_WAIT;
	struct record_view v;

	walk->last = -1;
	stream_seek(stream, walk->from, walk->to, true);
	while (result == STREAM_WAIT || result == STREAM_RECORD) {
		result = stream_next(stream, &v);
		if (result == STREAM_RECORD) {
			walk->gap = walk->gap || v.offset != walk->from + walk->records;
			walk->records++;
			walk->last = v.offset;
		} else if (result == STREAM_WAIT) {
			walk->ready = false;
			while (!walk->ready)
				loop_step(d->session->loop, clock_mono_ns() + PATIENCE_MS * NS_PER_MS);
		}
	}
	if (result == STREAM_FAILED)
		*err = *stream_error(stream);
	stream_destroy(stream);
	return result == STREAM_END ? OUTCOME_DONE : outcome_of(err, SIDE_DESTINATION);
}

/* How far each mirror got: its last record below the one that we wrote. Behind it only the door's markers stand. */
static enum outcome measure_copied(struct drill *d, struct err *err)
{
	enum outcome outcome = OUTCOME_DONE;

	for (int i = 0; i < d->n_parts && outcome == OUTCOME_DONE; i++) {
		struct walk w = { .topic = drill_mirror(d, i), .partition = drill_partition(d, i), .to = d->probes[i] };

		cluster_track(d->session->destination, w.topic);
		outcome = walk(d, &w, err);
		cluster_untrack(d->session->destination, w.topic);
		d->copied[i] = w.last + 1;
		if (outcome != OUTCOME_DONE || !w.gap)
			continue;
		err_set(err, RC_DIVERGED, "%s-%d has offsets without a record below its end", w.topic, w.partition);
		outcome = OUTCOME_DIVERGED;
	}
	return outcome;
}

/* --- both sides -------------------------------------------------------------------------------------------------- */

static enum outcome judge(const struct proof *proof, struct err *err)
{
	for (int i = 0; i < proof->n; i++) {
		const struct proof_partition *p = &proof->partitions[i];

		if (p->err.rc != RC_OK) {
			*err = p->err;
			return outcome_of(err, side_of(p->err_side));
		}
		if (p->compare.n_mismatches == 0)
			continue;
		err_set(err, RC_DIVERGED, "%s-%d offset %lld: %s; %lld records differ", proof->topics[COMPARE_DESTINATION], i,
			(long long)p->compare.mismatches[0].offset, compare_kind_name(p->compare.mismatches[0].kind),
			(long long)p->compare.n_mismatches);
		return OUTCOME_DIVERGED;
	}
	return OUTCOME_DONE;
}

static enum outcome compare_topic(struct drill *d, int topic, int64_t *compared, struct err *err)
{
	struct proof proof = {
		.clusters = { d->source, d->session->destination }, .topics = { d->topics[topic], d->mirrors[topic] },
		.pool = d->session->pool, .patience_ms = PATIENCE_MS, .deadline_ns = d->session->deadline_ns,
		.n = (int)d->plan.partitions,
	};
	enum outcome outcome;

	proof.partitions = xcalloc((size_t)proof.n, sizeof(*proof.partitions));
	for (int i = 0; i < proof.n; i++) {
		struct proof_partition *p = &proof.partitions[i];

		p->partition = i;
		p->to = p->end[0] = p->end[1] = d->copied[topic * proof.n + i];
	}
	outcome = proof_run(&proof, err) == RC_OK ? judge(&proof, err) : OUTCOME_TIMED_OUT;
	for (int i = 0; i < proof.n; i++) {
		*compared += proof.partitions[i].compare.compared;
		compare_fini(&proof.partitions[i].compare);
	}
	xfree(proof.partitions);
	return outcome;
}

/* What was acknowledged before the decision, and is not there. */
static void measure_loss(struct drill *d)
{
	d->rpo_records = d->rpo_ms = 0;
	for (int i = 0; i < d->n_parts; i++) {
		const struct writer_part *p = writer_part(d->writer, i);

		for (int k = 0; k < p->n_acks; k++) {
			const struct writer_ack *a = &p->acks[k];
			int64_t lost = MIN(a->offset + a->n - d->copied[i], a->n);

			if (a->acked_ns > d->decided_ns || lost <= 0)
				continue;
			d->rpo_records += lost;
			d->rpo_ms = MAX(d->rpo_ms, d->decided_ms - a->written_ms);
		}
	}
}

enum outcome drill_check(struct drill *d, struct err *err)
{
	enum outcome outcome = measure_copied(d, err);
	int64_t compared = 0;

	for (int t = 0; t < d->plan.topics && outcome == OUTCOME_DONE; t++)
		outcome = compare_topic(d, t, &compared, err);
	if (outcome == OUTCOME_DONE)
		measure_loss(d);
	drill_detail(d, "%lld records compared", (long long)compared);
	return outcome;
}

/* --- groups ----------------------------------------------------------------------------------------------------- */

int drill_commit(struct drill *d, int group, bool at_source, struct err *err)
{
	struct cluster *cluster = at_source ? d->source : d->session->destination;
	struct admin_group_offsets find = { .group = d->groups[group], .node = -1 };
	struct admin_group_commit commit = { .group = d->groups[group], .n = d->n_parts };
	int rc = RC_OK;

	commit.items = xcalloc((size_t)d->n_parts, sizeof(*commit.items));
	for (int i = 0; i < d->n_parts; i++)
		commit.items[i] = (struct admin_commit_item){
			.topic = at_source ? drill_topic(d, i) : drill_mirror(d, i), .partition = drill_partition(d, i),
			.offset = d->positions[group * d->n_parts + i], .metadata = "",
		};
	do {
		*err = (struct err){ 0 };
		find.node = -1;
		admin_find_coordinators(cluster, &find, 1, d->session->deadline_ns, err);
		commit.node = find.node;
		if (find.node >= 0)
			admin_commit_offsets(cluster, &commit, 1, d->session->deadline_ns, err);
		rc = find.node < 0 ? find.error : 0;
		for (int i = 0; i < d->n_parts && rc == 0; i++)
			rc = commit.items[i].error;
		if (rc != 0)
			loop_wait_until(d->session->loop, clock_mono_ns() + 200 * NS_PER_MS);
	} while (rc != 0 && err->rc != RC_AUTH && clock_mono_ns() < d->session->deadline_ns);
	xfree(commit.items);
	if (rc == 0)
		return RC_OK;
	return err->rc != RC_OK ? err->rc : err_set(err, RC_TIMEOUT, "the positions of group %s were not taken", find.group);
}

/* What the destination has of a group must be what was committed. */
static enum outcome read_back(struct drill *d, int group, struct err *err)
{
	struct admin_group_offsets offsets = { .group = d->groups[group], .node = -1 };

	admin_find_coordinators(d->session->destination, &offsets, 1, d->session->deadline_ns, err);
	if (offsets.node >= 0)
		admin_fetch_offsets(d->session->destination, &offsets, 1, d->session->deadline_ns, &d->cli->arena, err);
	for (int i = 0; i < d->n_parts; i++) {
		int64_t want = d->positions[group * d->n_parts + i], have = -1;

		for (int k = 0; k < offsets.n; k++)
			if (offsets.items[k].partition == drill_partition(d, i) &&
			    strcmp(offsets.items[k].topic, drill_mirror(d, i)) == 0)
				have = offsets.items[k].offset;
		if (have == want)
			continue;
		err_set(err, RC_KAFKA, "group %s stands at offset %lld of %s-%d, not at %lld", offsets.group, (long long)have,
			drill_mirror(d, i), drill_partition(d, i), (long long)want);
		return OUTCOME_FAILED;
	}
	*err = (struct err){ 0 };
	return OUTCOME_DONE;
}

/* From its position a group gets every record that is left, once. */
static enum outcome read_on(struct drill *d, int group, struct err *err)
{
	enum outcome outcome = OUTCOME_DONE;

	for (int i = 0; i < d->n_parts && outcome == OUTCOME_DONE; i++) {
		struct walk w = { .topic = drill_mirror(d, i), .partition = drill_partition(d, i),
				  .from = d->positions[group * d->n_parts + i], .to = d->copied[i] };

		cluster_track(d->session->destination, w.topic);
		outcome = walk(d, &w, err);
		cluster_untrack(d->session->destination, w.topic);
		if (outcome == OUTCOME_DONE && (w.gap || w.records != w.to - w.from)) {
			err_set(err, RC_DIVERGED, "%s-%d: from offset %lld on %lld records are read, not %lld", w.topic,
				w.partition, (long long)w.from, (long long)w.records, (long long)(w.to - w.from));
			outcome = OUTCOME_DIVERGED;
		}
	}
	return outcome;
}

enum outcome drill_positions(struct drill *d, struct err *err)
{
	enum outcome outcome = OUTCOME_DONE;

	for (int g = 0; g < d->plan.groups && outcome == OUTCOME_DONE; g++) {
		/* As failover does it: not beyond the end. */
		for (int i = 0; i < d->n_parts; i++)
			d->positions[g * d->n_parts + i] = MIN(d->positions[g * d->n_parts + i], d->copied[i]);
		if (drill_commit(d, g, false, err) != RC_OK)
			return outcome_of(err, SIDE_DESTINATION);
		outcome = read_back(d, g, err);
		if (outcome == OUTCOME_DONE)
			outcome = read_on(d, g, err);
	}
	drill_detail(d, "%lld groups go on at their own offsets", (long long)d->plan.groups);
	return outcome;
}
