/* SPDX-License-Identifier: Apache-2.0 */
#include "control/worker_docs.h"

#include "base/clock.h"
#include "base/doc.h"
#include "base/mem.h"

#include <curl/curl.h>
#include <string.h>

enum { CONNECT_MS = 400, TOTAL_MS = 900, ASKED_MAX = 64, BODY_MAX = 32 << 20 };

struct question {
	CURL *curl;
	char *url;
	struct doc body;
};

struct worker_docs {
	json_t *answers;             /* array of /status documents */
};

/* ---- asking ---- */

static size_t take(char *data, size_t size, size_t n, void *owner)
{
	struct question *q = owner;
	size_t len = size * n;

	if (q->body.len + len > BODY_MAX)
		return 0;
	doc_add_bytes(&q->body, data, len);
	return len;
}

static bool is_asked(const struct question *questions, int n, const char *url)
{
	for (int i = 0; i < n; i++)
		if (strcmp(questions[i].url, url) == 0)
			return true;
	return false;
}

/* What a worker listens on everywhere is reached here. */
static const char *dialled(const char *host)
{
	if (strcmp(host, "0.0.0.0") == 0)
		return "127.0.0.1";
	return strcmp(host, "::") == 0 ? "::1" : host;
}

static void add(struct question *questions, int *n, const struct endpoint *at)
{
	const char *host = dialled(at->host);
	struct question *q = &questions[*n];
	char *url;

	if (*n == ASKED_MAX || at->port == 0)
		return;
	url = xasprintf(strchr(host, ':') != NULL ? "http://[%s]:%u/status" : "http://%s:%u/status", host,
			(unsigned)at->port);
	if (is_asked(questions, *n, url)) {
		xfree(url);
		return;
	}
	*q = (struct question){ .curl = curl_easy_init(), .url = url };
	CHECK(q->curl != NULL);
	curl_easy_setopt(q->curl, CURLOPT_URL, q->url);
	curl_easy_setopt(q->curl, CURLOPT_PROTOCOLS_STR, "http");
	curl_easy_setopt(q->curl, CURLOPT_FOLLOWLOCATION, 0L);
	curl_easy_setopt(q->curl, CURLOPT_FAILONERROR, 1L);
	curl_easy_setopt(q->curl, CURLOPT_PROXY, "");
	curl_easy_setopt(q->curl, CURLOPT_NOSIGNAL, 1L);
	curl_easy_setopt(q->curl, CURLOPT_CONNECTTIMEOUT_MS, (long)CONNECT_MS);
	curl_easy_setopt(q->curl, CURLOPT_TIMEOUT_MS, (long)TOTAL_MS);
	curl_easy_setopt(q->curl, CURLOPT_WRITEFUNCTION, take);
	curl_easy_setopt(q->curl, CURLOPT_WRITEDATA, q);
	(*n)++;
}

static int collect(struct session *session, struct question *questions)
{
	const struct control_record *r = NULL;
	int n = 0;

	while ((r = control_log_next(session->log, RECORD_WORKER, r)) != NULL) {
		struct worker_record w;
		struct endpoint at;
		struct err unused;

		if (worker_record_decode(&w, r->name, r->value, &unused) == RC_OK && w.address != NULL &&
		    endpoint_parse(w.address, strlen(w.address), &at)) {
			add(questions, &n, &at);
			xfree(at.host);
		}
		worker_record_fini(&w);
	}
	if (session->conf->http.host != NULL)
		add(questions, &n, &session->conf->http);
	return n;
}

static void run(struct question *questions, int n)
{
	int64_t until = clock_mono_ns() + TOTAL_MS * NS_PER_MS;
	CURLM *multi = curl_multi_init();
	int running = n;

	CHECK(multi != NULL);
	for (int i = 0; i < n; i++)
		curl_multi_add_handle(multi, questions[i].curl);
	while (running > 0 && clock_mono_ns() < until) {
		if (curl_multi_perform(multi, &running) != CURLM_OK)
			break;
		if (running > 0)
			curl_multi_poll(multi, NULL, 0, 50, NULL);
	}
	for (int i = 0; i < n; i++)
		curl_multi_remove_handle(multi, questions[i].curl);
	curl_multi_cleanup(multi);
}

static bool text_is(const json_t *object, const char *key, const char *text)
{
	const char *value = json_string_value(json_object_get(object, key));

	return value != NULL && strcmp(value, text) == 0;
}

/* Another worker may listen where ours did. */
static bool is_ours(const struct session *session, const json_t *answer)
{
	return text_is(answer, "destination_cluster", cluster_id(session->destination)) &&
	       text_is(answer, "control_topic", session->conf->control_topic);
}

static bool is_known(const json_t *answers, const json_t *answer)
{
	const char *id = json_string_value(json_object_get(json_object_get(answer, "worker"), "worker_id"));

	for (size_t i = 0; id != NULL && i < json_array_size(answers); i++)
		if (text_is(json_object_get(json_array_get(answers, i), "worker"), "worker_id", id))
			return true;
	return id == NULL;
}

const struct worker_docs *worker_docs_of(struct session *session)
{
	struct question questions[ASKED_MAX];
	int n;

	if (session->worker_docs_ != NULL)
		return session->worker_docs_;
	session->worker_docs_ = xcalloc(1, sizeof(struct worker_docs));
	session->worker_docs_->answers = json_array();
	n = collect(session, questions);
	run(questions, n);
	for (int i = 0; i < n; i++) {
		struct question *q = &questions[i];
		json_t *answer = q->body.len > 0 ? json_loadb(q->body.data, q->body.len, JSON_REJECT_DUPLICATES, NULL) : NULL;

		if (answer != NULL && is_ours(session, answer) && !is_known(session->worker_docs_->answers, answer))
			json_array_append(session->worker_docs_->answers, answer);
		json_decref(answer);
		curl_easy_cleanup(q->curl);
		xfree(q->url);
		xfree(q->body.data);
	}
	return session->worker_docs_;
}

void worker_docs_free(struct worker_docs *docs)
{
	if (docs != NULL)
		json_decref(docs->answers);
	xfree(docs);
}

/* ---- taking ---- */

static int64_t number(const json_t *row, const char *key)
{
	const json_t *value = json_object_get(row, key);

	return json_is_integer(value) && json_integer_value(value) >= 0 ? json_integer_value(value) : -1;
}

static void take_unmeasured(const json_t *row, struct partition_info *p)
{
	int64_t lag = number(row, "partition_mirror_lag");

	if (p->lag >= 0 || lag < 0)
		return;
	p->lag = lag;
	p->source_log_start_offset = number(row, "source_log_start_offset");
	p->source_high_watermark = number(row, "source_high_watermark");
	p->source_last_stable_offset = number(row, "source_last_stable_offset");
}

/* Of two that tell of one partition, one has handed it on: the other fetches. */
static void take_partition(const json_t *row, struct partition_info *p)
{
	int64_t fetched = number(row, "time_since_last_fetch_ms");

	if (fetched < 0 || (p->time_since_last_fetch_ms >= 0 && p->time_since_last_fetch_ms <= fetched))
		return;
	p->time_since_last_fetch_ms = fetched;
	p->lag_ms = number(row, "lag_ms");
	p->filled_offsets = number(row, "filled_offsets");
	p->coalesced_batches = number(row, "coalesced_batches");
	p->last_source_fetch_offset = number(row, "last_source_fetch_offset");
	take_unmeasured(row, p);
}

static struct mirror_info *find(struct mirror_info *mirrors, int n, const json_t *row, struct mirror_info *last)
{
	if (last != NULL && text_is(row, "mirror_topic_name", last->mirror_topic_name) &&
	    text_is(row, "link_name", last->link_name))
		return last;
	for (int i = 0; i < n; i++)
		if (text_is(row, "mirror_topic_name", mirrors[i].mirror_topic_name) &&
		    text_is(row, "link_name", mirrors[i].link_name))
			return &mirrors[i];
	return NULL;
}

void worker_docs_fill_mirrors(const struct worker_docs *docs, struct mirror_info *mirrors, int n)
{
	struct mirror_info *mirror = NULL;
	const json_t *answer, *row;
	size_t a, i;

	json_array_foreach(docs->answers, a, answer) {
		json_array_foreach(json_object_get(answer, "partitions"), i, row) {
			int64_t p = number(row, "partition");

			mirror = find(mirrors, n, row, mirror);
			if (mirror != NULL && mirror->partitions != NULL && p >= 0 && p < mirror->num_partition)
				take_partition(row, &mirror->partitions[p]);
		}
	}
	for (int m = 0; m < n; m++)
		for (int32_t p = 0; mirrors[m].partitions != NULL && p < mirrors[m].num_partition; p++)
			mirrors[m].max_lag = MAX(mirrors[m].max_lag, mirrors[m].partitions[p].lag);
}

void worker_docs_fill_link(const struct worker_docs *docs, struct link_info *link)
{
	const json_t *answer, *row;
	size_t a, i;

	json_array_foreach(docs->answers, a, answer)
		json_array_foreach(json_object_get(answer, "links"), i, row) {
			int64_t contact = number(row, "last_contact_ms");

			if (contact >= 0 && text_is(row, "link_name", link->link_name) &&
			    (link->last_contact_ms < 0 || contact < link->last_contact_ms))
				link->last_contact_ms = contact;
		}
}
