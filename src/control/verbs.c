/* SPDX-License-Identifier: Apache-2.0 */
#include "control/verbs.h"

#include "base/mem.h"
#include "client/admin.h"
#include "control/seal.h"

int link_conf_of(const struct link_wish *wish, const struct secret_key *key, struct link_conf *conf, struct err *err)
{
	struct notes unused = { 0 };
	struct props props = { 0 };
	enum seal_fault fault;
	int rc = link_unseal(wish, key, &props, &fault, err);

	*conf = (struct link_conf){ 0 };
	if (rc == RC_OK && link_conf_read(conf, &props, &unused, err) != RC_OK)
		rc = err_wrap(err, "link %s", wish->name);
	notes_fini(&unused);
	props_fini(&props);
	return rc;
}

int session_link_conf(const struct session *session, const char *link, struct link_conf *conf, struct err *err)
{
	struct link_wish wish;
	int rc = control_log_link(session->log, link, &wish, err);

	*conf = (struct link_conf){ 0 };
	if (rc == RC_OK)
		rc = link_conf_of(&wish, session->conf->secret_key, conf, err);
	link_wish_fini(&wish);
	return rc;
}

int topic_ends(struct cluster *cluster, const struct ends_of *what, int64_t deadline_ns, int64_t *offsets,
	       struct err *err)
{
	struct admin_offsets all = {
		.items = xcalloc((size_t)what->n, sizeof(*all.items)), .n = what->n, .timestamp = what->timestamp,
		.replica_id = what->replica_id, .isolation = what->isolation,
	};
	int rc;

	for (int32_t i = 0; i < what->n; i++) {
		all.items[i].topic = what->topic;
		all.items[i].partition = i;
	}
	rc = admin_list_offsets(cluster, &all, deadline_ns, err);
	for (int32_t i = 0; i < what->n; i++)
		offsets[i] = all.items[i].error == 0 ? all.items[i].offset : -1;
	xfree(all.items);
	return rc;
}
