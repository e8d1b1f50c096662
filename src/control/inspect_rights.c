/* SPDX-License-Identifier: Apache-2.0 */
#include "base/clock.h"
#include "base/mem.h"
#include "client/wait.h"
#include "control/inspect_priv.h"
#include "wire/kerr.h"
#include "wire/msg/kerr_codes.h"
#include "wire/msg/produce.h"

#include <string.h>

enum { ASK_MS = 10000, MARKS_BY_ALTER = 11 /* Produce v11: Kafka 3.8 */ };

/* A topic that nobody has: what is granted on it is granted on all, or on all with the prefix. */
#define PROBE "krmirror-check"
#define SOURCE_LOG "_krmirror"

struct asking {
	struct inspection *inspection;
	struct inspected *it;
	struct rights_answer *answers;
	int n, cap;
	bool everything[2], alter_marks;
};

static int64_t soon(const struct session *session)
{
	return MIN(session->deadline_ns, clock_mono_ns() + ASK_MS * NS_PER_MS);
}

static void keep(struct asking *a, struct rights_answer answer)
{
	CHECK(a->n < a->cap);
	a->answers[a->n++] = answer;
}

static void ask_cluster(struct asking *a, struct cluster *cluster, enum side side)
{
	struct rights_answer answer = { .side = side, .resource = RIGHT_CLUSTER, .name = "kafka-cluster" };
	bool authorizer = true;
	struct err err;

	if (admin_has_authorizer(cluster, soon(a->it->session), &authorizer, &err) == RC_OK)
		a->everything[side] = !authorizer;
	if (admin_cluster_operations(cluster, soon(a->it->session), &answer.operations, &err) != RC_OK)
		answer.operations = INT32_MIN;
	keep(a, answer);
}

/* Of a pattern the group that has its text as name: what is granted for all, or by that prefix, holds for it. */
static void ask_group(struct asking *a, struct cluster *cluster, enum side side, const char *id)
{
	struct rights_answer answer = { .side = side, .resource = RIGHT_GROUP, .name = id, .operations = INT32_MIN };
	struct admin_group group;
	struct err err = { 0 };

	if (admin_describe_group(cluster, id, soon(a->it->session), a->inspection->arena, &group, &err) == RC_OK)
		answer.operations = group.authorized;
	answer.denied = err.rc == RC_AUTH;
	keep(a, answer);
}

static void ask_groups(struct asking *a, struct cluster *source)
{
	const struct inspected *it = a->it;

	for (int i = 0; i < it->n_groups; i++) {
		enum side side = it->groups[i].side;

		if (it->reached[side] && (side == SIDE_DESTINATION || source != NULL))
			ask_group(a, side == SIDE_SOURCE ? source : it->session->destination, side, it->groups[i].name);
	}
}

/* What is asked about, and under which name it is kept. */
struct asked {
	const char **names, **kept;
	int n;
};

static void ask_topics(struct asking *a, struct cluster *cluster, enum side side, const struct asked *asked)
{
	struct admin_topic *topics;
	struct err err;

	if (admin_topics(cluster, asked->names, asked->n, soon(a->it->session), a->inspection->arena, &topics, &err) != RC_OK)
		return;
	for (int i = 0; i < asked->n; i++) {
		bool denied = topics[i].error == KERR_TOPIC_AUTHORIZATION_FAILED;

		keep(a, (struct rights_answer){ .side = side, .resource = RIGHT_TOPIC, .name = asked->kept[i],
						.denied = denied,
						.operations = denied ? INT32_MIN : topics[i].authorized });
		a->it->source_log |= side == SIDE_SOURCE && strcmp(asked->kept[i], SOURCE_LOG) == 0 &&
				     topics[i].error != KERR_UNKNOWN_TOPIC_OR_PARTITION;
		for (int k = 0; k < a->it->n_topics && side == SIDE_DESTINATION; k++)
			if (a->it->topics[k].destination == asked->kept[i])
				a->it->topics[k].exists = topics[i].error != KERR_UNKNOWN_TOPIC_OR_PARTITION;
	}
}

static void ask_side(struct asking *a, struct cluster *cluster, enum side side)
{
	const struct inspected *it = a->it;
	const char *prefix = side == SIDE_DESTINATION ? it->prefix : "";
	struct asked asked = { arena_new(a->inspection->arena, const char *, it->n_topics + 2),
			       arena_new(a->inspection->arena, const char *, it->n_topics + 2), 0 };

	if (!it->reached[side])
		return;
	for (int i = 0; i < it->n_topics; i++) {
		const char *name = side == SIDE_SOURCE ? it->topics[i].source : it->topics[i].destination;

		asked.names[asked.n] = asked.kept[asked.n] = name;
		asked.n++;
	}
	asked.names[asked.n] = inspect_text(a->inspection, "%s%s", prefix, PROBE);
	asked.kept[asked.n++] = prefix;
	if (side == SIDE_DESTINATION || it->wide) {
		asked.names[asked.n] = side == SIDE_DESTINATION ? it->session->conf->control_topic : SOURCE_LOG;
		asked.kept[asked.n] = asked.names[asked.n];
		asked.n++;
	}
	ask_topics(a, cluster, side, &asked);
	ask_cluster(a, cluster, side);
}

/* --- items --------------------------------------------------------------------------------------------------- */

static const char *thing_of(struct inspection *inspection, const struct right *right)
{
	const char *resource = right_resource_name(right->resource);

	if (right->resource == RIGHT_CLUSTER)
		return resource;
	if (right->resource == RIGHT_GROUP && strcmp(right->name, "*") == 0)
		return "all groups";
	if (right->any && right->name[0] == '\0')
		return "topics (none is mirrored yet)";
	return inspect_text(inspection, "%s %s%s", resource, right->name, right->prefixed ? "*" : "");
}

/* Why a right is not known, and what makes it so. */
static const char *unknown_hint(struct inspection *inspection, const struct right *right)
{
	if (right->resource == RIGHT_TRANSACTIONAL_ID)
		return "brokers do not tell rights on transactional ids; it counts only without CLUSTER_ACTION on Cluster";
	if (right->any && right->resource == RIGHT_GROUP)
		return "it may be granted group by group; what is missing then shows in `krmirror group list`";
	if (right->any)
		return "it may be granted topic by topic: it is known when a topic is mirrored";
	return inspect_text(inspection, "the brokers tell it to who has DESCRIBE on %s", thing_of(inspection, right));
}

static void one_right(struct inspection *inspection, const struct right *right)
{
	static const char *const words[] = {
		[RIGHT_HELD] = "", [RIGHT_UNKNOWN] = " cannot be known", [RIGHT_MISSING] = " is missing"
	};
	struct inspect_item *item = inspect_add(inspection, right->side, "RIGHT");

	item->right = right;
	item->needed = right->needed;
	item->detail = inspect_text(inspection, "%s on %s%s (%s)", right_operation_name(right->operation),
				    thing_of(inspection, right), words[right->state], right->use);
	if (right->state == RIGHT_HELD)
		return;
	item->status = right->state == RIGHT_UNKNOWN ? INSPECT_UNKNOWN :
		       right->needed ? INSPECT_FAILED : INSPECT_WARNING;
	item->reason = right->state == RIGHT_UNKNOWN ? "RIGHT_UNKNOWN" : "RIGHT_MISSING";
	item->rc = RC_AUTH;
	item->outcome = OUTCOME_AUTH;
	item->hint = right->state == RIGHT_UNKNOWN ? unknown_hint(inspection, right) :
		     inspect_text(inspection, "without it: %s; --print-acls prints the command that grants it (no DENY may stand "
						 "against it)", right->without);
}

/* With the right for markers there is nothing to do for transactions. */
static bool superseded(const struct rights *rights, const struct right *right)
{
	for (int i = 0; i < rights->n; i++)
		if (rights->items[i].operation == RIGHT_CLUSTER_ACTION && rights->items[i].state == RIGHT_HELD)
			return right->resource == RIGHT_TRANSACTIONAL_ID;
	return false;
}

static struct rights_spec spec_of(const struct inspected *it)
{
	return (struct rights_spec){
		.control_topic = it->session->conf->control_topic, .group = it->session->conf->group_id,
		.link = it->link, .prefix = it->prefix, .topics = it->topics, .n = it->n_topics,
		.groups = it->groups, .n_groups = it->n_groups,
		.source_log = it->wide && it->source_log ? SOURCE_LOG : NULL,
	};
}

void inspect_rights(struct inspection *inspection, struct inspected *it)
{
	struct session *session = it->session;
	struct asking a = { .inspection = inspection, .it = it, .cap = 2 * (it->n_topics + 2) + it->n_groups + 8 };
	struct rights_known known;
	struct rights_spec spec;
	struct cluster *source = NULL;
	struct err err;

	a.answers = arena_new(inspection->arena, struct rights_answer, a.cap);
	ask_side(&a, session->destination, SIDE_DESTINATION);
	if (it->reached[SIDE_DESTINATION]) {
		ask_group(&a, session->destination, SIDE_DESTINATION, session->conf->group_id);
		a.alter_marks = broker_version(cluster_broker(session->destination, NODE_ANY), &produce_api) >= MARKS_BY_ALTER;
	}
	if (it->link != NULL && it->reached[SIDE_SOURCE] &&
	    session_source(session, it->link, soon(session), &source, &err) == OUTCOME_DONE)
		ask_side(&a, source, SIDE_SOURCE);
	ask_groups(&a, source);
	spec = spec_of(it);
	inspection->rights = rights_needed(&spec, inspection->arena);
	spec.by_prefix = true;
	inspection->grants = rights_needed(&spec, inspection->arena);
	known = (struct rights_known){ a.answers, a.n, { a.everything[0], a.everything[1] }, a.alter_marks };
	rights_judge(&inspection->rights, &known);
	for (int i = 0; i < inspection->rights.n; i++) {
		const struct right *right = &inspection->rights.items[i];

		if (it->reached[right->side] && !superseded(&inspection->rights, right))
			one_right(inspection, right);
	}
}

void inspect_writers(struct inspection *inspection, struct inspected *it)
{
	const char *topic = it->session->conf->control_topic, *others;
	struct inspect_item *item;
	struct admin_acls acls;
	struct err err;
	int rc;

	if (!it->reached[SIDE_DESTINATION])
		return;
	rc = admin_topic_acls(it->session->destination, topic, soon(it->session), inspection->arena, &acls, &err);
	item = inspect_add(inspection, SIDE_DESTINATION, "WRITERS");
	if (rc != RC_OK) {
		item->status = INSPECT_UNKNOWN;
		item->reason = "WRITERS_UNKNOWN";
		item->detail = inspect_text(inspection, "who else may write to %s cannot be known: %s", topic, err.text);
		item->hint = inspect_text(inspection, "%s", err.hint);
		return;
	}
	others = rights_writers(&acls, inspection->grantee[SIDE_DESTINATION].principal, inspection->arena);
	if (acls.authorizer && others == NULL) {
		item->detail = inspect_text(inspection, "no ACL lets anybody else write to %s (super users may)", topic);
		return;
	}
	item->status = INSPECT_WARNING;
	item->reason = "WRITERS";
	item->detail = acls.authorizer ? inspect_text(inspection, "others may write to %s: %s", topic, others) :
		       inspect_text(inspection, "whoever reaches the cluster may write to %s: it has no authorizer", topic);
	item->hint = "whoever writes there decides what krmirror does: only its own principal should";
}

/* --- who is asked for ---------------------------------------------------------------------------------------- */

void inspect_grantee(struct inspection *inspection, enum side side, const struct client_conf *conf)
{
	struct rights_grantee *grantee = &inspection->grantee[side];
	bool tickets = conf->auth != NULL && strcmp(auth_mechanism(conf->auth), "GSSAPI") == 0;
	char subject[400];

	*grantee = (struct rights_grantee){
		.principal = "User:PRINCIPAL", .secured = conf->auth != NULL || conf->tls != NULL,
		.bootstrap = arena_strdup(inspection->arena, conf->bootstrap_text),
	};
	if (tickets)
		grantee->note = "made of the ticket's name by the brokers' sasl.kerberos.principal.to.local.rules";
	else if (conf->auth != NULL && conf->principal == NULL)
		grantee->note = "PRINCIPAL: the token's subject, or what the brokers' sasl.oauthbearer.sub.claim.name says";
	if (conf->auth == NULL && conf->tls != NULL && tls_subject(conf->tls, subject, sizeof(subject))) {
		grantee->principal = inspect_text(inspection, "User:%s", subject);
		grantee->note = "the certificate's subject; the brokers' ssl.principal.mapping.rules may shorten it";
	} else if (conf->auth == NULL) {
		grantee->principal = "User:ANONYMOUS";
	}
	if (conf->principal == NULL || strcmp(conf->principal, grantee->principal) == 0)
		return;
	grantee->principal = inspect_text(inspection, "%s", conf->principal);
	if (!tickets)
		grantee->note = NULL;   /* it is said in krmirror.properties, or is the login's */
}
