/* SPDX-License-Identifier: Apache-2.0 */
#include "control/session.h"

#include "base/clock.h"
#include "base/mem.h"
#include "client/admin.h"
#include "control/promote_read.h"
#include "control/verbs.h"
#include "control/worker_docs.h"
#include "wire/msg/metadata.h"

#include <string.h>

enum { POOL_BYTES = 64 << 20, METADATA_APART_MS = 10, PROBE_MS = 10000 };

struct session_source {
	struct session *session;
	struct session_source *next;
	char *link;
	struct link_conf conf;
	char *cluster_id;            /* as recorded; NULL: not recorded */
	struct cluster *cluster;
	bool answered;
};

/* Code that asks one thing after the other asks for metadata often; after failures the pause grows by itself. */
static void sequential(struct cluster_opts *opts)
{
	opts->retry_backoff_ms = MIN(opts->retry_backoff_ms, METADATA_APART_MS);
}

int session_open(struct session *session, struct loop *loop, const struct conf *conf, int64_t deadline_ns,
		 struct err *err)
{
	struct cluster_opts opts;
	struct control_log_opts log_opts = {
		.topic = conf->control_topic, .replication = conf->control_topic_replication,
		.principal = conf->destination.principal, .notes = &session->notes,
	};

	*session = (struct session){ .loop = loop, .conf = conf, .deadline_ns = deadline_ns };
	if (loop == NULL) {
		session->loop = loop_create(conf->io_engine, err);
		session->own_loop_ = true;
	}
	if (session->loop == NULL)
		return err->rc;
	session->pool = buf_pool_create(POOL_BYTES);
	client_conf_opts(&conf->destination, side_name(SIDE_DESTINATION), NULL, &opts);
	sequential(&opts);
	opts.counts = &session->counts;
	session->destination = cluster_create(session->loop, session->pool, &opts);
	session->clusters_ = 1;
	session->log = control_log_create(session->destination, &log_opts);
	return RC_OK;
}

/* The configuration must outlive the cluster. */
static void source_gone(void *owner)
{
	struct session_source *source = owner;

	source->session->clusters_--;
	link_conf_fini(&source->conf);
	xfree(source->link);
	xfree(source->cluster_id);
	xfree(source);
}

static void destination_gone(void *owner)
{
	struct session *session = owner;

	session->clusters_--;
}

void session_source_drop(struct session *session, const char *link)
{
	struct session_source **at = &session->sources_, *source;

	while (*at != NULL && strcmp((*at)->link, link) != 0)
		at = &(*at)->next;
	if (*at == NULL)
		return;
	source = *at;
	*at = source->next;
	cluster_destroy(source->cluster, source_gone, source);
}

/* Connections end later than they are closed: the loop goes on until the last is gone. */
void session_close(struct session *session)
{
	if (session->loop == NULL)
		return;
	while (session->sources_ != NULL)
		session_source_drop(session, session->sources_->link);
	promote_readings_free(session);
	control_log_destroy(session->log);
	cluster_destroy(session->destination, destination_gone, session);
	while (session->clusters_ > 0)
		loop_step(session->loop, INT64_MAX);
	buf_pool_destroy(session->pool);
	if (session->own_loop_)
		loop_destroy(session->loop);
	notes_fini(&session->notes);
	worker_docs_free(session->worker_docs_);
	*session = (struct session){ 0 };
}

enum outcome session_connect(struct session *session, struct err *err)
{
	enum outcome outcome = control_log_read(session->log, session->deadline_ns, err);

	if (outcome == OUTCOME_DESTINATION_UNREACHABLE && err->hint[0] == '\0')
		err_hint(err, "check bootstrap.servers (%s) and that the brokers run",
			 session->conf->destination.bootstrap_text);
	return outcome;
}

/* --- sources ------------------------------------------------------------------------------------------------- */

static int dialled(const struct link_conf *conf, const char *link, struct err *err)
{
	if (!conf->inbound)
		return RC_OK;
	err_set(err, RC_REFUSED, "link %s has connection.mode=INBOUND: it does not say where the source is", link);
	return err_hint(err, "`krmirror link create %s` with link.mode=SOURCE takes its place: see krmirror-link(1)", link);
}

static int source_make(struct session *session, const struct link_wish *wish, struct session_source **made,
		       struct err *err)
{
	struct session_source *source = xcalloc(1, sizeof(*source));
	struct secret_rules rules = conf_secret_rules(session->conf);
	struct cluster_opts opts;

	if (link_conf_of(wish, session->conf->secret_key, &source->conf, err) != RC_OK ||
	    dialled(&source->conf, wish->name, err) != RC_OK || link_conf_secure(&source->conf, &rules, err) != RC_OK) {
		link_conf_fini(&source->conf);
		xfree(source);
		return err->rc;
	}
	source->link = xstrdup(wish->name);
	source->cluster_id = wish->source_cluster_id == NULL ? NULL : xstrdup(wish->source_cluster_id);
	client_conf_opts(&source->conf.source, side_name(SIDE_SOURCE), source->cluster_id, &opts);
	sequential(&opts);
	source->cluster = cluster_create(session->loop, session->pool, &opts);
	source->session = session;
	session->clusters_++;
	source->next = session->sources_;
	session->sources_ = source;
	*made = source;
	return RC_OK;
}

/* Metadata from whichever server answers. */
static int ask_all(struct cluster *cluster, int64_t deadline_ns, struct err *err)
{
	int servers = cluster_options(cluster)->n_bootstrap + 1;
	int rc;

	do
		rc = cluster_wait_metadata(cluster, NULL, deadline_ns, err);
	while (rc != RC_OK && rc != RC_REFUSED && rc != RC_AUTH && --servers > 0 && clock_mono_ns() < deadline_ns);
	return rc;
}

static int probe_node(struct cluster *cluster, int32_t node_id, int64_t deadline_ns, struct err *err)
{
	struct metadata_request *req;
	struct call call = { 0 };
	int rc;

	call_init(&call, &metadata_api, NULL, NULL);
	req = call_req(&call, metadata);
	req->allow_auto_topic_creation = false;
	req->topics.n = 0;   /* none; null would be all */
	call.deadline_ns = MIN(deadline_ns, clock_mono_ns() + PROBE_MS * NS_PER_MS);
	rc = call_wait(cluster, node_id, &call, err);
	call_fini(&call);
	return rc;
}

/* A server that answers says nothing of the addresses that brokers advertise, and these are what is read from. One
 * that does not answer may just be down, and is noted; if none does it is a failure. */
static int probe_nodes(struct session *session, struct cluster *cluster, struct err *err)
{
	int n = cluster_n_nodes(cluster), failed = 0;
	int32_t *ids = xcalloc((size_t)n, sizeof(*ids));
	struct notes found = { 0 };

	for (int i = 0; i < n; i++)
		ids[i] = cluster_node_at(cluster, i)->id;   /* the list may change while they are asked */
	for (int i = 0; i < n; i++) {
		if (probe_node(cluster, ids[i], session->deadline_ns, err) == RC_OK)
			continue;
		failed++;
		notes_add(&found, "%s%s%s", err->text, err->hint[0] != '\0' ? "; " : "", err->hint);
	}
	for (int i = 0; i < found.n && failed < n; i++)
		notes_add(&session->notes, "%s", found.lines[i]);
	notes_fini(&found);
	xfree(ids);
	return failed > 0 && failed == n ? err->rc : RC_OK;
}

enum outcome session_probe(struct session *session, const struct client_conf *conf, enum side side, char **id,
			   struct err *err)
{
	struct cluster_opts opts;
	struct cluster *cluster;
	int rc;

	client_conf_opts(conf, side_name(side), NULL, &opts);
	cluster = cluster_create(session->loop, session->pool, &opts);
	rc = ask_all(cluster, session->deadline_ns, err);
	if (rc == RC_OK)
		rc = probe_nodes(session, cluster, err);
	if (rc == RC_OK)
		*id = xstrdup(cluster_id(cluster));
	cluster_destroy_wait(cluster);
	return rc == RC_OK ? OUTCOME_DONE : outcome_of(err, side);
}

static enum outcome source_answer(struct session_source *source, int64_t deadline_ns, struct err *err)
{
	int rc = ask_all(source->cluster, deadline_ns, err);

	if (rc == RC_REFUSED) {
		err_wrap(err, "SOURCE_CLUSTER_ID_CHANGED");
		err_hint(err, "bootstrap.servers of link %s now lead to another cluster than the recorded %s", source->link,
			 source->cluster_id);
	}
	if (rc != RC_OK)
		return outcome_of(err, SIDE_SOURCE);
	source->answered = true;
	return OUTCOME_DONE;
}

enum outcome session_source(struct session *session, const char *link, int64_t deadline_ns, struct cluster **cluster,
			    struct err *err)
{
	struct session_source *source = session->sources_;
	struct link_wish wish;
	int rc;

	while (source != NULL && strcmp(source->link, link) != 0)
		source = source->next;
	if (source == NULL) {
		rc = control_log_link(session->log, link, &wish, err);
		if (rc == RC_OK)
			rc = source_make(session, &wish, &source, err);
		link_wish_fini(&wish);
		if (rc != RC_OK)
			return rc == RC_UNSUPPORTED ? OUTCOME_FAILED : outcome_of(err, SIDE_SOURCE);
	}
	*cluster = source->cluster;
	return source->answered ? OUTCOME_DONE : source_answer(source, deadline_ns, err);
}

/* --- the group and names ------------------------------------------------------------------------------------- */

enum outcome session_workers(struct session *session, int *n, struct err *err)
{
	struct admin_group group;
	struct arena arena;
	int rc;

	*n = 0;
	arena_init(&arena, 0);
	rc = admin_describe_group(session->destination, session->conf->group_id, session->deadline_ns, &arena, &group, err);
	if (rc == RC_OK)
		*n = group.n_members;
	arena_fini(&arena);
	return rc == RC_OK ? OUTCOME_DONE : outcome_of(err, SIDE_DESTINATION);
}

enum outcome session_resolve(struct session *session, const char *link, const char *topic, char **found,
			     struct err *err)
{
	const struct control_record *r = NULL;
	const char *first = NULL;

	*found = NULL;
	while ((r = control_log_next(session->log, RECORD_MIRROR, r)) != NULL) {
		if (strcmp(r->topic, topic) != 0 || (link != NULL && strcmp(r->name, link) != 0))
			continue;
		if (first != NULL) {
			err_set(err, RC_REFUSED, "several links have a mirror %s: %s, %s", topic, first, r->name);
			err_hint(err, "say which with --link");
			return OUTCOME_REFUSED;
		}
		first = r->name;
	}
	if (first != NULL) {
		*found = xstrdup(first);
		return OUTCOME_DONE;
	}
	if (link != NULL)
		err_set(err, RC_NOT_FOUND, "link %s has no mirror %s", link, topic);
	else
		err_set(err, RC_NOT_FOUND, "no link has a mirror %s", topic);
	err_hint(err, "`krmirror mirror list` shows the mirrors");
	return OUTCOME_FAILED;
}
