/* SPDX-License-Identifier: Apache-2.0 */
/* Typed reads of the view, typed puts, and claims. */
#include "control/log.h"

#include "base/clock.h"
#include "base/mem.h"

#include <string.h>
#include <unistd.h>

static const struct control_record *get(const struct control_log *log, char *key)
{
	const struct control_record *r = control_log_get(log, key);

	xfree(key);
	return r;
}

int control_log_link(const struct control_log *log, const char *link, struct link_wish *w, struct err *err)
{
	const struct control_record *r = get(log, record_key_link(link));

	*w = (struct link_wish){ 0 };
	if (r == NULL) {
		err_set(err, RC_NOT_FOUND, "there is no link %s", link);
		return err_hint(err, "`krmirror link list` shows the links");
	}
	return link_wish_decode(w, link, r->value, err) == RC_OK ? RC_OK : err_wrap(err, "link %s", link);
}

int control_log_mirror(const struct control_log *log, const char *link, const char *topic, struct mirror_wish *w,
		       struct err *err)
{
	const struct control_record *r = get(log, record_key_mirror(link, topic));

	*w = (struct mirror_wish){ 0 };
	if (r == NULL) {
		err_set(err, RC_NOT_FOUND, "link %s has no mirror %s", link, topic);
		return err_hint(err, "`krmirror mirror list` shows the mirrors");
	}
	return mirror_wish_decode(w, link, topic, r->value, err) == RC_OK ? RC_OK :
	       err_wrap(err, "mirror %s of link %s", topic, link);
}

int control_log_link_state(const struct control_log *log, const char *link, struct link_state *s, struct err *err)
{
	const struct control_record *r = get(log, record_key_link_state(link));

	if (r == NULL) {
		link_state_init(s, link);
		return RC_OK;
	}
	return link_state_decode(s, link, r->value, err) == RC_OK ? RC_OK : err_wrap(err, "state of link %s", link);
}

int control_log_mirror_state(const struct control_log *log, const char *link, const char *topic,
			     struct mirror_state *s, struct err *err)
{
	const struct control_record *r = get(log, record_key_mirror_state(link, topic));

	if (r == NULL) {
		mirror_state_init(s, link, topic);
		return RC_OK;
	}
	return mirror_state_decode(s, link, topic, r->value, err) == RC_OK ? RC_OK :
	       err_wrap(err, "state of mirror %s of link %s", topic, link);
}

int control_log_sync(const struct control_log *log, const char *link, struct sync_record *s, struct err *err)
{
	const struct control_record *r = get(log, record_key_sync(link));

	if (r == NULL) {
		*s = (struct sync_record){ .link = xstrdup(link) };
		return RC_OK;
	}
	return sync_record_decode(s, link, r->value, err) == RC_OK ? RC_OK : err_wrap(err, "sync of link %s", link);
}

int64_t control_log_mirror_offset(const struct control_log *log, const char *link, const char *topic)
{
	const struct control_record *r = get(log, record_key_mirror(link, topic));

	return r == NULL ? -1 : r->offset;
}

int32_t control_log_mirror_partitions(const struct control_log *log, const char *link, const char *topic)
{
	const struct control_record *wish = get(log, record_key_mirror(link, topic));
	const struct control_record *state = get(log, record_key_mirror_state(link, topic));
	json_int_t made = wish == NULL ? 0 : json_integer_value(json_object_get(wish->value, "partitions"));
	json_int_t known = state == NULL ? 0 : (json_int_t)json_object_size(json_object_get(state->value, "partitions"));

	return (int32_t)MIN(MAX(made, known), INT32_MAX);
}

int64_t control_log_link_offset(const struct control_log *log, const char *link)
{
	const struct control_record *r = get(log, record_key_link(link));

	return r == NULL ? -1 : r->offset;
}

/* --- puts ---------------------------------------------------------------------------------------------------- */

static void put(struct control_batch *batch, char *key, json_t *value)
{
	control_batch_put(batch, key, value);
	xfree(key);
}

void control_batch_link(struct control_batch *batch, const struct link_wish *w)
{
	put(batch, record_key_link(w->name), link_wish_encode(w));
}

void control_batch_mirror(struct control_batch *batch, const struct mirror_wish *w)
{
	put(batch, record_key_mirror(w->link, w->topic), mirror_wish_encode(w));
}

void control_batch_link_state(struct control_batch *batch, const struct link_state *s)
{
	put(batch, record_key_link_state(s->name), link_state_encode(s));
}

void control_batch_mirror_state(struct control_batch *batch, const struct mirror_state *s)
{
	put(batch, record_key_mirror_state(s->link, s->topic), mirror_state_encode(s));
}

void control_batch_sync(struct control_batch *batch, const struct sync_record *s)
{
	put(batch, record_key_sync(s->link), sync_record_encode(s));
}

/* --- claims -------------------------------------------------------------------------------------------------- */

struct claiming {
	const char *worker;
	int64_t n;
};

static enum outcome claim_decide(struct control_log *log, struct control_batch *batch, void *arg, struct err *err)
{
	struct claiming *claiming = arg;
	const struct control_record *r = NULL;
	char host[256] = "";
	struct claim claim = { .worker = (char *)(uintptr_t)claiming->worker, .host = host };

	(void)err;
	claiming->n = 1;
	while ((r = control_log_next(log, RECORD_CLAIM, r)) != NULL) {
		int64_t n = json_integer_value(json_object_get(r->value, "n"));

		claiming->n = MAX(claiming->n, n + 1);
	}
	if (gethostname(host, sizeof(host) - 1) != 0)
		host[0] = '\0';
	claim.n = claiming->n;
	claim.time_ms = clock_wall_ms();
	put(batch, record_key_claim(claiming->worker), claim_encode(&claim));
	return OUTCOME_DONE;
}

enum outcome control_log_claim(struct control_log *log, const char *worker, int64_t deadline_ns, int64_t *n,
			       struct err *err)
{
	struct claiming claiming = { .worker = worker };
	enum outcome outcome = control_log_update(log, claim_decide, &claiming, deadline_ns, NULL, err);

	*n = claiming.n;
	return outcome;
}
