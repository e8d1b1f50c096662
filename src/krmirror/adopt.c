/* SPDX-License-Identifier: Apache-2.0 */
#include "krmirror/adopt.h"

#include "base/clock.h"
#include "base/mem.h"
#include "krmirror/both.h"

enum { PATIENCE_MS = 30000 };

struct showing {
	struct output *output;
	const char *topic;
};

static void show(void *owner, int64_t passed, int64_t total)
{
	const struct showing *showing = owner;

	output_progress(showing->output, "%s: %lld of %lld offsets compared (%d%%)", showing->topic, (long long)passed,
			(long long)total, total > 0 ? (int)((double)passed * 100 / (double)total) : 100);
}

static void partitions(const struct adopt_question *q, struct proof *proof)
{
	proof->n = q->n;
	proof->partitions = xcalloc((size_t)q->n + 1, sizeof(*proof->partitions));
	for (int32_t i = 0; i < q->n; i++) {
		const struct adopt_range *r = &q->ranges[i];
		struct proof_partition *p = &proof->partitions[i];

		p->partition = i;
		p->from = p->done_to = r->from;
		p->to = MAX(r->from, r->to);
		for (int side = 0; side < COMPARE_SIDES; side++) {
			p->start[side] = r->start[side];
			p->end[side] = r->end[side];
		}
	}
}

static enum outcome judge(const struct adopt_question *q, const struct proof *proof, struct err *err)
{
	enum outcome outcome = OUTCOME_DONE;

	for (int i = 0; i < proof->n; i++) {
		const struct proof_partition *p = &proof->partitions[i];

		if (p->compare.n_mismatches > 0) {
			err_set(err, RC_DIVERGED, "%s-%d: offset %lld is not the source's (%s); %lld records differ", q->topic,
				i, (long long)p->compare.mismatches[0].offset,
				compare_kind_name(p->compare.mismatches[0].kind), (long long)p->compare.n_mismatches);
			return OUTCOME_DIVERGED;
		}
		if (p->err.rc == RC_OK || outcome != OUTCOME_DONE)
			continue;
		*err = p->err;
		outcome = outcome_of(err, side_of(p->err_side));
	}
	return outcome;
}

enum outcome adopt_compare(void *owner, const struct adopt_question *q, struct err *err)
{
	struct cli *cli = owner;
	struct session *session = &cli->session;
	struct showing showing = { &cli->output, q->topic };
	struct proof proof = {
		.clusters = { q->source, session->destination }, .topics = { q->source_topic, q->topic },
		.pool = session->pool, .patience_ms = PATIENCE_MS, .compacted = q->compacted,
		.expired_before_ms = q->expired_before_ms,
		.deadline_ns = cli->args.given[OPT_TIMEOUT] ? session->deadline_ns : INT64_MAX,
		.progress = show, .progress_owner = &showing,
	};
	enum outcome outcome;

	partitions(q, &proof);
	outcome = proof_run(&proof, err) == RC_OK ? judge(q, &proof, err) : OUTCOME_TIMED_OUT;
	for (int i = 0; i < proof.n; i++)
		compare_fini(&proof.partitions[i].compare);
	xfree(proof.partitions);
	if (!cli->args.given[OPT_TIMEOUT])
		session->deadline_ns = clock_mono_ns() + cli->args.timeout_ms * NS_PER_MS;
	return outcome;
}
