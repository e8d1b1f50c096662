/* SPDX-License-Identifier: Apache-2.0 */
#include "krmirrord/claims.h"

#include "base/clock.h"
#include "base/mem.h"

static void read_shares(const struct claim *claim, struct plan_claim *out)
{
	json_t *shares = json_object_get(claim->raw, "shares"), *workers, *worker;
	size_t i, j;

	json_array_foreach(shares, i, workers) {
		struct str *ids = xcalloc(json_array_size(workers) + 1, sizeof(*ids));
		int n = 0;

		json_array_foreach(workers, j, worker)
			if (json_is_string(worker))
				ids[n++] = str_of(json_string_value(worker));
		if (out->n_shares < CLAIM_SHARES)
			share_init(&out->shares[out->n_shares++], ids, n);
		xfree(ids);
	}
}

void claims_free(struct plan_claim *claims, int n)
{
	for (int i = 0; i < n; i++) {
		for (int j = 0; j < claims[i].n_shares; j++)
			share_fini(&claims[i].shares[j]);
		xfree(claims[i].worker);
	}
	xfree(claims);
}

void claims_read(const struct control_log *log, struct plan_claim **claims, int *n)
{
	const struct control_record *record = NULL;

	claims_free(*claims, *n);
	*claims = NULL;
	*n = 0;
	while ((record = control_log_next(log, RECORD_CLAIM, record)) != NULL) {
		struct plan_claim *out;
		struct claim claim;
		struct err err;

		if (claim_decode(&claim, record->name, record->value, &err) == RC_OK) {
			*claims = xrealloc(*claims, (size_t)*n + 1, sizeof(**claims));
			out = &(*claims)[(*n)++];
			*out = (struct plan_claim){ .worker = xstrdup(record->name), .n = claim.n };
			out->released = json_is_true(json_object_get(claim.raw, "released"));
			read_shares(&claim, out);
		}
		claim_fini(&claim);
	}
}

/* ---- appending ---- */

struct append {
	const struct claim_wish *wish;
	int64_t n;
};

static int64_t highest(const struct control_log *log)
{
	const struct control_record *record = NULL;
	int64_t n = 0;

	while ((record = control_log_next(log, RECORD_CLAIM, record)) != NULL) {
		struct claim claim;
		struct err err;

		if (claim_decode(&claim, record->name, record->value, &err) == RC_OK)
			n = MAX(n, claim.n);
		claim_fini(&claim);
	}
	return n;
}

static json_t *shares_json(const struct claim_wish *wish)
{
	json_t *shares = json_array();

	for (int i = 0; i < wish->n_shares; i++) {
		json_t *workers = json_array();

		for (int j = 0; j < wish->shares[i].n; j++)
			json_array_append_new(workers, json_string(wish->shares[i].workers[j]));
		json_array_append_new(shares, workers);
	}
	return shares;
}

static void put_worker(const struct control_log *log, struct control_batch *batch, const struct claim_wish *wish)
{
	char *key = record_key_worker(wish->worker);
	const struct control_record *record = control_log_get(log, key);
	struct worker_record w = { 0 };
	struct err err;
	bool same = false;

	if (record != NULL && worker_record_decode(&w, wish->worker, record->value, &err) == RC_OK)
		same = w.started_ms == wish->started_ms && text_eq(w.address, wish->address);
	if (!same) {
		record_set(&w.worker, wish->worker);
		record_set(&w.address, wish->address);
		record_set(&w.version, wish->version);
		record_set(&w.host, wish->host);
		w.started_ms = wish->started_ms;
		control_batch_put(batch, key, worker_record_encode(&w));
	}
	worker_record_fini(&w);
	xfree(key);
}

static enum outcome decide_append(struct control_log *log, struct control_batch *batch, void *arg, struct err *err)
{
	struct append *append = arg;
	const struct claim_wish *wish = append->wish;
	char *key = record_key_claim(wish->worker);
	struct claim claim = { .time_ms = clock_wall_ms(), .session_timeout_ms = wish->session_timeout_ms };

	(void)err;
	append->n = highest(log) + 1;
	claim.n = append->n;
	record_set(&claim.worker, wish->worker);
	record_set(&claim.host, wish->host);
	claim.raw = json_object();
	json_object_set_new(claim.raw, "shares", shares_json(wish));
	control_batch_put(batch, key, claim_encode(&claim));
	put_worker(log, batch, wish);
	claim_fini(&claim);
	xfree(key);
	return OUTCOME_DONE;
}

enum outcome claims_append(struct control_log *log, const struct claim_wish *wish, int64_t deadline_ns, int64_t *n,
			   struct err *err)
{
	struct append append = { .wish = wish };
	enum outcome outcome = control_log_update(log, decide_append, &append, deadline_ns, NULL, err);

	*n = append.n;
	return outcome;
}

/* ---- releasing ---- */

struct release {
	const char *worker;
	int64_t n;
};

static enum outcome decide_release(struct control_log *log, struct control_batch *batch, void *arg, struct err *err)
{
	struct release *release = arg;
	char *key = record_key_claim(release->worker);
	const struct control_record *record = control_log_get(log, key);
	struct claim claim = { 0 };

	if (record != NULL && claim_decode(&claim, release->worker, record->value, err) == RC_OK &&
	    claim.n == release->n && !json_is_true(json_object_get(claim.raw, "released"))) {
		if (claim.raw == NULL)
			claim.raw = json_object();
		json_object_set_new(claim.raw, "released", json_true());
		control_batch_put(batch, key, claim_encode(&claim));
	}
	claim_fini(&claim);
	xfree(key);
	return OUTCOME_DONE;
}

enum outcome claims_release(struct control_log *log, const char *worker, int64_t n, int64_t deadline_ns,
			    struct err *err)
{
	struct release release = { worker, n };

	return control_log_update(log, decide_release, &release, deadline_ns, NULL, err);
}
