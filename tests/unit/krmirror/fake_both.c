/* SPDX-License-Identifier: Apache-2.0 */
/* A stand-in for both clusters: what verify and topic diff find is what the test put into fake_both. */
#include "fake_both.h"

#include "base/mem.h"

#include <string.h>

struct fake_both fake_both;

enum outcome both_open(struct cli *cli, const char *topic, struct both *both, struct err *err)
{
	(void)cli;
	*both = (struct both){ .topic = xstrdup(topic), .n_source = fake_both.n_source,
			       .n_destination = fake_both.n_destination, .stopped = fake_both.stopped };
	if (fake_both.open != OUTCOME_DONE) {
		err_set(err, RC_NOT_FOUND, "no link has a mirror topic \"%s\"", topic);
		return fake_both.open;
	}
	both->source_topic = xstrdup(topic);
	both->proof.topics[0] = both->proof.topics[1] = both->topic;
	both->proof.n = MIN(both->n_source, both->n_destination);
	both->proof.partitions = fake_both.partitions;
	both->settings[0] = fake_both.settings[0];
	both->settings[1] = fake_both.settings[1];
	return OUTCOME_DONE;
}

int both_compare(struct both *both, struct err *err)
{
	for (int i = 0; i < both->proof.n; i++) {
		struct proof_partition *p = &both->proof.partitions[i];

		fake_both.from[i] = p->from;
		fake_both.to[i] = p->to;
		if (fake_both.timed_out)
			continue;
		p->done_to = p->to;
		for (int k = 0; both->proof.only != NULL && k < p->only[0]; k++)
			both->proof.only(both->proof.only_owner, p->partition, 0, &fake_both.record);
	}
	fake_both.sample = both->proof.sample;
	return fake_both.timed_out ? err_set(err, RC_TIMEOUT, "not all was compared in time") : RC_OK;
}

enum outcome both_errors(const struct both *both)
{
	(void)both;
	return fake_both.errors;
}

void both_close(struct both *both)
{
	xfree(both->topic);
	xfree(both->source_topic);
	*both = (struct both){ 0 };
}

int admin_topic_acls(struct cluster *cluster, const char *topic, int64_t deadline_ns, struct arena *arena,
		     struct admin_acls *acls, struct err *err)
{
	(void)cluster;
	(void)topic;
	(void)deadline_ns;
	(void)arena;
	(void)err;
	*acls = fake_both.acls[fake_both.acls_asked++ % 2];
	return RC_OK;
}

const struct admin_config *admin_config_find(const struct admin_configs *configs, const char *name)
{
	for (int i = 0; i < configs->n; i++)
		if (strcmp(configs->items[i].name, name) == 0)
			return &configs->items[i];
	return NULL;
}
