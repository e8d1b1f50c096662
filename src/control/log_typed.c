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

/* What says since then whether the link is paused; NULL: nothing does. */
static const struct control_record *pause_of(const struct control_log *log, const struct link_wish *w)
{
	const struct control_record *r = get(log, record_key_pause(w->name));

	return r != NULL && w->at >= 0 && r->offset > w->offset ? r : NULL;
}

int control_log_link(const struct control_log *log, const char *link, struct link_wish *w, struct err *err)
{
	const struct control_record *r = get(log, record_key_link(link));

	*w = (struct link_wish){ 0 };
	if (r == NULL) {
		err_set(err, RC_NOT_FOUND, "there is no link %s", link);
		return err_hint(err, "`krmirror link list` shows the links");
	}
	if (link_wish_decode(w, link, r->value, err) != RC_OK)
		return err_wrap(err, "link %s", link);
	w->offset = r->offset;
	w->copy_offset = r->copy_offset;
	w->copy_ms = r->copy_ms;
	r = pause_of(log, w);
	if (r != NULL)
		w->paused = json_is_true(json_object_get(r->value, "paused"));
	return RC_OK;
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
	const struct control_record *r = get(log, record_key_link(link)), *pause = get(log, record_key_pause(link));

	return r == NULL ? -1 : pause == NULL ? r->offset : MAX(r->offset, pause->offset);
}

/* --- puts ---------------------------------------------------------------------------------------------------- */

static void put(struct control_batch *batch, char *key, json_t *value)
{
	control_batch_put(batch, key, value);
	xfree(key);
}

void control_batch_link(struct control_batch *batch, const struct link_wish *w, const struct secret_key *key)
{
	control_batch_put_signed(batch, w->name, link_wish_encode(w), key);
}

static void remove_pause(const struct control_log *log, struct control_batch *batch, const char *link)
{
	char *key = record_key_pause(link);

	if (control_log_get(log, key) != NULL)
		control_batch_remove(batch, key);
	xfree(key);
}

void control_batch_link_anew(const struct control_log *log, struct control_batch *batch, const struct link_wish *w,
			     const struct secret_key *key)
{
	control_batch_link(batch, w, key);
	remove_pause(log, batch, w->name);
}

void control_batch_pause(struct control_batch *batch, const char *link, bool paused)
{
	struct link_pause pause = { .paused = paused };

	put(batch, record_key_pause(link), link_pause_encode(&pause));
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

enum { SESSION_MAX_MS = 60000 };

int32_t control_log_session_ms(const struct control_log *log, int32_t own_ms)
{
	const struct control_record *r = NULL;
	int32_t longest = own_ms;

	while ((r = control_log_next(log, RECORD_CLAIM, r)) != NULL) {
		struct claim claim;
		struct err unused;

		if (claim_decode(&claim, r->name, r->value, &unused) == RC_OK &&
		    !json_is_true(json_object_get(claim.raw, "released")))
			longest = MAX(longest, MIN(claim.session_timeout_ms, SESSION_MAX_MS));
		claim_fini(&claim);
	}
	return longest;
}

struct claiming {
	const char *worker;
	int64_t n;
};

static enum outcome claim_decide(struct control_log *log, struct control_batch *batch, void *arg, struct err *err)
{
	struct claiming *claiming = arg;
	const struct control_record *r = NULL;
	char host[256] = "";
	struct claim claim = {
		.worker = (char *)(uintptr_t)claiming->worker, .host = host, .session_timeout_ms = -1,
	};

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
