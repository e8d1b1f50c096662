/* SPDX-License-Identifier: Apache-2.0 */
#include "krmirrord/model.h"

#include "krmirrord/claims.h"
#include "krmirrord/tasks.h"

#include "base/log.h"
#include "base/mem.h"
#include "control/seal.h"

void model_init(struct model *model, const struct secret_rules *rules, const struct secret_key *key)
{
	*model = (struct model){ .rules = *rules, .key = key, .position = -1 };
}

/* ---- links ---- */

static void link_row_free(struct link_row *row)
{
	CHECK(row->source == NULL);
	link_wish_fini(&row->wish);
	link_conf_fini(&row->conf);
	link_tasks_free(row->tasks);
	xfree(row->rates);
	xfree(row->name);
	xfree(row);
}

struct link_row *model_link(const struct model *model, const char *name)
{
	for (int i = 0; i < model->n_links; i++)
		if (strcmp(model->links[i]->name, name) == 0)
			return model->links[i];
	return NULL;
}

static struct link_row *link_row_make(struct model *model, const char *name)
{
	struct link_row *row = model_link(model, name);

	if (row != NULL)
		return row;
	row = xcalloc(1, sizeof(*row));
	row->name = xstrdup(name);
	row->offset = row->copy_told = -1;
	model->links = xrealloc(model->links, (size_t)model->n_links + 1, sizeof(*model->links));
	model->links[model->n_links++] = row;
	return row;
}

/* A record as it was read, before anything of it holds. */
struct reading {
	struct link_wish wish;
	struct link_conf conf;
	enum seal_fault fault;
	struct err err;
	int rc;
};

static int read_link_conf(struct reading *reading, const struct model *model)
{
	struct props props = { 0 };
	struct notes notes = { 0 };
	struct err *err = &reading->err;
	int rc = link_unseal(&reading->wish, model->key, &props, &reading->fault, err);

	if (rc == RC_OK)
		rc = link_conf_read(&reading->conf, &props, &notes, err);
	if (rc == RC_OK)
		rc = link_conf_secure(&reading->conf, &model->rules, err);
	for (int i = 0; i < notes.n; i++)
		log_debug("link", "note", "link=%s text=" LOG_Q, reading->wish.name, notes.lines[i]);
	notes_fini(&notes);
	props_fini(&props);
	return rc;
}

/* Pausing changes the wish but none of the settings. */
static bool same_settings(const struct link_wish *a, const struct link_wish *b)
{
	return a->config != NULL && b->config != NULL && json_equal(a->config, b->config) &&
	       text_eq(a->source_cluster_id, b->source_cluster_id);
}

static void reading_fini(struct reading *reading)
{
	link_wish_fini(&reading->wish);
	link_conf_fini(&reading->conf);
}

static void take_settings(struct link_row *row, struct reading *reading)
{
	struct link_wish wish = row->wish;
	struct link_conf conf = row->conf;

	row->changed |= !row->usable || !same_settings(&row->wish, &reading->wish);
	row->wish = reading->wish;
	row->conf = reading->conf;
	reading->wish = wish;
	reading->conf = conf;
	row->usable = true;
	row->plan.paused = row->wish.paused;
}

/* The settings that it has are kept, for when a record comes that can be used. */
static void refuse_settings(struct link_row *row, const struct reading *reading)
{
	const char *word = reading->fault != SEAL_FINE ? seal_fault_word(reading->fault) : "CONFIGURATION";

	row->error = reading->err;
	snprintf(row->error_word, sizeof(row->error_word), "%s", reading->rc == RC_UNSUPPORTED ? "UPGRADE_NEEDED" : word);
	/* `link rekey` comes before the workers get the new key: until then each goes on with what it knows. */
	row->stale = row->usable && reading->fault == SEAL_OTHER_KEY;
	if (row->stale) {
		row->plan.paused = row->wish.paused = reading->wish.paused;
		log_warn("link", "its record was written with another key; it runs on the settings that it has",
			 "link=%s reason=%s error=" LOG_Q " hint=" LOG_Q, row->name, row->error_word, row->error.text,
			 row->error.hint);
		return;
	}
	row->changed |= row->usable;
	row->usable = false;
	row->plan.paused = false;
	log_error("link", "its record cannot be used; its mirrors wait", "link=%s reason=%s error=" LOG_Q, row->name,
		  row->error_word, row->error.text);
}

static void link_row_decode(struct link_row *row, const struct model *model, const struct control_log *log)
{
	struct reading reading = { 0 };

	row->offset = control_log_link_offset(log, row->name);
	row->error = (struct err){ 0 };
	row->error_word[0] = '\0';
	row->stale = false;
	reading.rc = control_log_link(log, row->name, &reading.wish, &reading.err);
	if (reading.rc == RC_OK)
		reading.rc = read_link_conf(&reading, model);
	if (reading.rc == RC_OK)
		take_settings(row, &reading);
	else
		refuse_settings(row, &reading);
	row->plan.known = row->usable;
	reading_fini(&reading);
}

static void update_links(struct model *model, const struct control_log *log)
{
	const struct control_record *record = NULL;

	for (int i = 0; i < model->n_links; i++)
		model->links[i]->present = false;
	while ((record = control_log_next(log, RECORD_LINK, record)) != NULL) {
		struct link_row *row = link_row_make(model, record->name);

		row->present = true;
		if (row->offset != control_log_link_offset(log, row->name))
			link_row_decode(row, model, log);
	}
}

/* ---- mirrors ---- */

static void mirror_row_free(struct mirror_row *row)
{
	CHECK(row->tracked == NULL);
	for (int32_t p = 0; p < row->n_lanes; p++)
		xfree(row->lanes[p].error);
	mirror_wish_fini(&row->wish);
	mirror_state_fini(&row->mirror_state);
	xfree(row->lanes);
	xfree(row->link);
	xfree(row->topic);
	xfree(row);
}

struct mirror_row *model_mirror(const struct model *model, const char *link, const char *topic)
{
	for (int i = 0; i < model->n_mirrors; i++)
		if (strcmp(model->mirrors[i]->topic, topic) == 0 && strcmp(model->mirrors[i]->link, link) == 0)
			return model->mirrors[i];
	return NULL;
}

static struct mirror_row *mirror_row_make(struct model *model, const char *link, const char *topic)
{
	struct mirror_row *row = model_mirror(model, link, topic);

	if (row != NULL)
		return row;
	row = xcalloc(1, sizeof(*row));
	row->link = xstrdup(link);
	row->topic = xstrdup(topic);
	row->wish_offset = row->state_offset = -1;
	mirror_state_init(&row->mirror_state, link, topic);
	model->mirrors = xrealloc(model->mirrors, (size_t)model->n_mirrors + 1, sizeof(*model->mirrors));
	model->mirrors[model->n_mirrors++] = row;
	return row;
}

/* Lanes are only added: a topic does not lose partitions. */
static void grow_lanes(struct mirror_row *row)
{
	const struct mirror_state *state = &row->mirror_state;
	int32_t n = row->wish.n_partitions;

	if (state->n_partitions > 0)
		n = MAX(n, state->partitions[state->n_partitions - 1].partition + 1);
	if (n <= row->n_lanes)
		return;
	row->lanes = xrealloc(row->lanes, (size_t)n, sizeof(*row->lanes));
	for (int32_t p = row->n_lanes; p < n; p++)
		row->lanes[p] = (struct lane_row){ .offset = -1, .epoch = -1, .source_end = -1, .source_end_ms = -1,
						  .transaction = { .stable = -1, .producer_id = -1 } };
	row->n_lanes = n;
}

static void decode_wish(struct mirror_row *row, const struct control_record *record)
{
	struct err err;

	row->wish_offset = record->offset;
	mirror_wish_fini(&row->wish);
	row->readable = mirror_wish_decode(&row->wish, row->link, row->topic, record->value, &err) == RC_OK;
	if (!row->readable)
		log_error("mirror", "its record cannot be used; it waits", "link=%s topic=%s error=" LOG_Q, row->link,
			  row->topic, err.text);
}

/* True when it was decoded anew. */
static bool decode_state(struct mirror_row *row, const struct control_log *log, const struct control_record *record)
{
	int64_t offset = record != NULL ? record->offset : -1;
	struct err err;

	if (offset == row->state_offset)
		return false;
	row->state_offset = offset;
	mirror_state_fini(&row->mirror_state);
	if (control_log_mirror_state(log, row->link, row->topic, &row->mirror_state, &err) == RC_OK)
		return true;
	log_error("mirror", "its state cannot be used; it waits", "link=%s topic=%s error=" LOG_Q, row->link,
		  row->topic, err.text);
	row->readable = false;
	return true;
}

static void update_mirror(struct model *model, const struct control_log *log, const struct control_record *record)
{
	struct mirror_row *row = mirror_row_make(model, record->name, record->topic);
	char *key = record_key_mirror_state(row->link, row->topic);
	const struct control_record *state = control_log_get(log, key);

	xfree(key);
	row->present = true;
	row->link_row = model_link(model, row->link);
	if (row->wish_offset != record->offset || (!row->readable && state != NULL &&
						   state->offset != row->state_offset))
		decode_wish(row, record);
	decode_state(row, log, state);
	if (row->readable)
		grow_lanes(row);
}

static void update_mirrors(struct model *model, const struct control_log *log)
{
	const struct control_record *record = NULL;

	for (int i = 0; i < model->n_mirrors; i++)
		model->mirrors[i]->present = false;
	while ((record = control_log_next(log, RECORD_MIRROR, record)) != NULL)
		update_mirror(model, log, record);
	for (int i = 0; i < model->n_mirrors; i++)
		if (!model->mirrors[i]->present)
			model->mirrors[i]->link_row = model_link(model, model->mirrors[i]->link);
}

int64_t entry_resumes(const struct partition_state *entry)
{
	return entry->raw != NULL ? json_integer_value(json_object_get(entry->raw, "resumes")) : 0;
}

void entry_set_resumes(struct partition_state *entry, int64_t resumes)
{
	if (entry->raw == NULL)
		entry->raw = json_object();
	json_object_set_new(entry->raw, "resumes", json_integer(resumes));
}

bool entry_stands(const struct mirror_row *row, const struct partition_state *entry)
{
	enum lane_reason reason = entry->reason != NULL ? lane_reason_parse(entry->reason) : REASON_NONE;

	if (reason == REASON_NONE || lane_reason_retries(reason) || entry_resumes(entry) < row->wish.resumes)
		return false;
	return reason == REASON_DATA_LOSS || lane_state_parse(entry->state) == LANE_FAILED;
}

bool mirror_row_policy(const struct mirror_row *row, const char *word)
{
	const json_t *value = row->wish.create_settings != NULL ?
			      json_object_get(row->wish.create_settings, "cleanup.policy") : NULL;
	const char *policy = json_is_string(value) ? json_string_value(value) : "delete";

	return strstr(policy, word) != NULL;  /* no word of it is part of another */
}

static const struct plan_link *link_plan(const struct mirror_row *row)
{
	static const struct plan_link unknown = { 0 };

	return row->link_row != NULL && row->link_row->present ? &row->link_row->plan : &unknown;
}

enum mirror_status mirror_row_status(const struct mirror_row *row)
{
	return plan_status(link_plan(row), &row->plan);
}

void mirror_row_plan(struct mirror_row *row)
{
	const struct mirror_state *state = &row->mirror_state;
	struct plan_mirror *plan = &row->plan;

	*plan = (struct plan_mirror){
		.created = row->wish.created, .paused = row->wish.paused, .upgrade_needed = !row->readable,
		.wish = row->wish.wish, .wish_offset = row->wish_offset, .closing = state->closing,
		.stopped = state->status == MIRROR_STOPPED, .refused_wish = state->refused_wish,
		.n_lanes = row->n_lanes,
	};
	for (int i = 0; i < state->n_partitions; i++)
		plan->n_failed += state->partitions[i].state != NULL &&
				  lane_state_parse(state->partitions[i].state) == LANE_FAILED;
	row->want = row->present ? plan_want(link_plan(row), plan) : WANT_NOTHING;
}

/* ---- all ---- */

bool model_update(struct model *model, const struct control_log *log)
{
	if (model->position == control_log_position(log))
		return false;
	model->position = control_log_position(log);
	update_links(model, log);
	update_mirrors(model, log);
	claims_read(log, &model->claims, &model->n_claims);
	model->session_ms = control_log_session_ms(log, 0);
	for (int i = 0; i < model->n_mirrors; i++)
		mirror_row_plan(model->mirrors[i]);
	return true;
}

static bool holds_lanes(const struct mirror_row *row)
{
	for (int32_t p = 0; p < row->n_lanes; p++)
		if (row->lanes[p].held != HELD_NOT)
			return true;
	return false;
}

static bool has_mirrors(const struct model *model, const struct link_row *link)
{
	for (int i = 0; i < model->n_mirrors; i++)
		if (model->mirrors[i]->link_row == link)
			return true;
	return false;
}

void model_sweep(struct model *model)
{
	int kept = 0;

	for (int i = 0; i < model->n_mirrors; i++) {
		struct mirror_row *row = model->mirrors[i];

		if (!row->present && row->tracked == NULL && !holds_lanes(row))
			mirror_row_free(row);
		else
			model->mirrors[kept++] = row;
	}
	model->n_mirrors = kept;
	kept = 0;
	for (int i = 0; i < model->n_links; i++) {
		struct link_row *row = model->links[i];

		if (!row->present && row->source == NULL && !row->opened && !has_mirrors(model, row))
			link_row_free(row);
		else
			model->links[kept++] = row;
	}
	model->n_links = kept;
}

void model_fini(struct model *model)
{
	for (int i = 0; i < model->n_mirrors; i++)
		mirror_row_free(model->mirrors[i]);
	for (int i = 0; i < model->n_links; i++)
		link_row_free(model->links[i]);
	xfree(model->mirrors);
	xfree(model->links);
	claims_free(model->claims, model->n_claims);
	*model = (struct model){ .position = -1 };
}
