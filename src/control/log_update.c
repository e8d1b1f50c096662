/* SPDX-License-Identifier: Apache-2.0 */
/* Compare and append.
 *
 * Happy path: read the fixed id's last sequence, read the log to its end, decide, append at the next sequence, read
 * back; our append_id stands there.
 *
 * Why in this order: whoever appends after our reading of the sequence takes the sequence that we shall send, and then
 * ours is refused (45) or answered as if it were his (success with his offset). Whoever appended before it is below
 * the log end that we read up to, so the decision saw him.
 *
 * Failure modes:
 *  - success, but another append_id stands there: lost; decide again;
 *  - refused: lost, or a leader moved; decide again;
 *  - no answer: it may be stored, even later. Deciding again is right: the next reading either finds it (any id of any
 *    try counts as ours), or appends at the same sequence, and then at most one of the two is stored. */
#include "control/log_update.h"

#include "base/crypto.h"
#include "base/mem.h"
#include "control/seal.h"

#include <string.h>

int32_t log_next_sequence(int32_t last, int64_t end)
{
	if (last >= 0)
		return last == INT32_MAX ? 0 : last + 1;
	return (int32_t)(end & INT32_MAX);
}

/* --- a decision's records ------------------------------------------------------------------------------------ */

void control_batch_fini(struct control_batch *batch)
{
	for (int i = 0; i < batch->n; i++) {
		xfree(batch->items[i].key);
		json_decref(batch->items[i].value);
	}
	xfree(batch->items);
	*batch = (struct control_batch){ 0 };
}

/* Removals stand behind values, so that a batch with any value begins with an append_id. */
static void batch_set(struct control_batch *batch, const char *key, json_t *value, const struct secret_key *signer)
{
	int at = 0;

	for (int i = 0; i < batch->n; i++)
		if (strcmp(batch->items[i].key, key) == 0) {
			xfree(batch->items[i].key);
			json_decref(batch->items[i].value);
			batch->n--;
			memmove(&batch->items[i], &batch->items[i + 1],
				(size_t)(batch->n - i) * sizeof(*batch->items));
			break;
		}
	batch->items = xrealloc(batch->items, (size_t)batch->n + 1, sizeof(*batch->items));
	while (at < batch->n && (value == NULL || batch->items[at].value != NULL))
		at++;
	memmove(&batch->items[at + 1], &batch->items[at], (size_t)(batch->n - at) * sizeof(*batch->items));
	batch->items[at] = (struct batch_put){ xstrdup(key), value, signer };
	batch->n++;
}

void control_batch_put(struct control_batch *batch, const char *key, json_t *value)
{
	CHECK(json_is_object(value));
	batch_set(batch, key, value, NULL);
}

void control_batch_put_signed(struct control_batch *batch, const char *link, json_t *value, const struct secret_key *key)
{
	char *record = record_key_link(link);

	CHECK(json_is_object(value));
	batch_set(batch, record, value, key);
	xfree(record);
}

void control_batch_remove(struct control_batch *batch, const char *key)
{
	batch_set(batch, key, NULL, NULL);
}

/* For the offsets that the records get if nobody writes before them. */
static void sign_links(const struct control_batch *batch, int64_t end)
{
	for (int i = 0; i < batch->n; i++) {
		const struct batch_put *put = &batch->items[i];

		if (put->key_of_link != NULL)
			link_sign(put->value, strchr(put->key, '/') + 1, put->key_of_link, end + i);
	}
}

/* A fresh random id in all values; remembered in a. */
static void name_batch(const struct control_batch *batch, struct log_append *a)
{
	uint8_t random[APPEND_ID_LEN / 2];
	char *id;

	a->ids = xrealloc(a->ids, (size_t)a->n_ids + 1, sizeof(*a->ids));
	id = a->ids[a->n_ids++];
	random_bytes(random, sizeof(random));
	for (size_t i = 0; i < sizeof(random); i++)
		snprintf(id + 2 * i, 3, "%02x", random[i]);
	for (int i = 0; i < batch->n; i++)
		if (batch->items[i].value != NULL)
			CHECK(json_object_set_new(batch->items[i].value, "append_id", json_string(id)) == 0);
	a->base = -1;
	a->first_key = batch->items[0].value == NULL ? batch->items[0].key : NULL;
}

/* --- the rounds ---------------------------------------------------------------------------------------------- */

enum round { ROUND_AGAIN, ROUND_WON, ROUND_NOTHING, ROUND_ENDED };

struct update {
	struct log_io *io;
	struct control_log *log;
	control_decide_fn *decide;
	void *arg;
	struct log_append append;
	bool unknown;            /* a try may be stored: the end of time is a timeout then, not a failure */
	enum outcome outcome;    /* of ROUND_ENDED */
};

/* Where a batch is to go. */
struct batch_place {
	int32_t sequence;
	int64_t end;   /* of the log */
};

static enum round ended(struct update *u, enum outcome outcome)
{
	u->outcome = outcome;
	return ROUND_ENDED;
}

static enum round send_batch(struct update *u, struct control_batch *batch, struct batch_place at, struct err *err)
{
	enum outcome outcome;
	bool fatal = false;
	int64_t end;

	name_batch(batch, &u->append);
	sign_links(batch, at.end);
	switch (u->io->append(u->io, batch, at.sequence, &u->append.base, &fatal, err)) {
	case LOG_SENT_REFUSED:
		return fatal ? ended(u, outcome_of(err, SIDE_DESTINATION)) : ROUND_AGAIN;
	case LOG_SENT_UNKNOWN:
		u->unknown = true;
		return ROUND_AGAIN;
	case LOG_SENT_OK:
		break;
	}
	outcome = u->io->read_to_end(u->io, &end, err);
	if (outcome != OUTCOME_DONE) {
		u->unknown = true;
		return ended(u, outcome);
	}
	return u->append.landed ? ROUND_WON : ROUND_AGAIN;
}

static enum round one_round(struct update *u, struct err *err)
{
	struct control_batch batch = { 0 };
	enum outcome outcome = OUTCOME_DONE;
	enum round round = ROUND_NOTHING;
	int32_t last = -1;
	int64_t end = 0;

	if (u->io->exists(u->io))
		outcome = u->io->sequence(u->io, &last, err);
	if (outcome == OUTCOME_DONE)
		outcome = u->io->read_to_end(u->io, &end, err);
	if (outcome != OUTCOME_DONE)
		return ended(u, outcome);
	if (u->append.landed)
		return ROUND_WON;
	outcome = u->decide(u->log, &batch, u->arg, err);
	if (outcome != OUTCOME_DONE) {
		round = ended(u, outcome);
	} else if (batch.n > 0 && !u->io->exists(u->io)) {
		outcome = u->io->make(u->io, err);
		round = outcome == OUTCOME_DONE ? ROUND_AGAIN : ended(u, outcome);
	} else if (batch.n > 0) {
		round = send_batch(u, &batch, (struct batch_place){ log_next_sequence(last, end), end }, err);
	}
	u->append.first_key = NULL;
	control_batch_fini(&batch);
	return round;
}

enum outcome log_update(struct log_io *io, struct control_log *log, control_decide_fn *decide, void *arg,
			bool *appended, struct err *err)
{
	struct update u = { .io = io, .log = log, .decide = decide, .arg = arg, .append.base = -1 };
	enum round round;

	err_set(err, RC_TIMEOUT, "destination: other writers were always first in the control log");
	io->view->append = &u.append;
	do
		round = one_round(&u, err);
	while (round == ROUND_AGAIN && io->pause(io));
	io->view->append = NULL;
	xfree(u.append.ids);
	if (appended != NULL)
		*appended = round == ROUND_WON;
	if (round == ROUND_ENDED)
		return u.outcome;
	if (round == ROUND_AGAIN) {
		err_hint(err, "run it again: what was written is found then");
		return OUTCOME_TIMED_OUT;
	}
	return OUTCOME_DONE;
}
