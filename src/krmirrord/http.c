/* SPDX-License-Identifier: Apache-2.0 */
/* Happy path: a request for a known path is answered from the newest page; the connection may ask again.
 *
 * Failure modes:
 *  - more connections than CONNECTIONS_MAX: they wait in the backlog;
 *  - a client that dawdles, with its header or with reading its answer: it is cut after REQUEST_MAX_MS each;
 *  - a header larger than MEMORY_MAX, another method, a body: refused, and the connection ends;
 *  - many who ask: they share an answer, which is made anew after CACHE_MS. */
#include "krmirrord/http.h"

#include "base/clock.h"
#include "base/log.h"
#include "base/mem.h"
#include "krmirrord/metrics.h"
#include "krmirrord/status.h"
#include "net/listener.h"

#include <microhttpd.h>
#include <string.h>

enum {
	CONNECTIONS_MAX = 64, MEMORY_MAX = 16 << 10,
	IDLE_S = 8, REQUEST_MAX_MS = 10000, TURN_MS = 250, CACHE_MS = 1000
};

struct slot {
	struct MHD_Connection *connection;   /* NULL: free */
	int fd;
	int64_t since_ns;                    /* it came, its header was there, or its last request was answered */
	bool cut;
};

/* An answer that is used for a while. */
struct answer {
	struct MHD_Response *response;
	int64_t made_ns;
};

struct http {
	struct board *board;
	struct MHD_Daemon *daemon;
	char address[80];
	pthread_t thread;
	atomic_bool stop;
	struct slot slots[CONNECTIONS_MAX];
	struct answer metrics, status;
};

/* ---- answers ---- */

static struct MHD_Response *respond(struct doc *doc, const char *type)
{
	struct MHD_Response *r;

	if (doc->data == NULL)
		doc_add(doc, "%s", "");
	r = MHD_create_response_from_buffer_with_free_callback(doc->len, doc->data, xfree);
	CHECK(r != NULL);
	MHD_add_response_header(r, MHD_HTTP_HEADER_CONTENT_TYPE, type);
	MHD_add_response_header(r, MHD_HTTP_HEADER_CACHE_CONTROL, "no-store");
	return r;
}

static enum MHD_Result send_text(struct MHD_Connection *connection, unsigned code, struct doc *doc)
{
	struct MHD_Response *r = respond(doc, "text/plain; charset=utf-8");
	enum MHD_Result result;

	if (code == MHD_HTTP_METHOD_NOT_ALLOWED)
		MHD_add_response_header(r, MHD_HTTP_HEADER_ALLOW, "GET");
	result = MHD_queue_response(connection, code, r);
	MHD_destroy_response(r);
	return result;
}

static enum MHD_Result send_words(struct MHD_Connection *connection, unsigned code, const char *words)
{
	struct doc doc = { 0 };

	doc_add(&doc, "%s\n", words);
	return send_text(connection, code, &doc);
}

static void drop_answer(struct answer *answer)
{
	if (answer->response != NULL)
		MHD_destroy_response(answer->response);
	answer->response = NULL;
}

static enum MHD_Result send_metrics(struct http *http, struct MHD_Connection *connection)
{
	struct doc doc = { 0 };
	struct page *page;

	if (http->metrics.response == NULL) {
		page = board_take(http->board);
		metrics_write(&doc, page, clock_wall_ms());
		page_unref(page);
		http->metrics.response = respond(&doc, "text/plain; version=0.0.4; charset=utf-8");
		http->metrics.made_ns = clock_mono_ns();
	}
	return MHD_queue_response(connection, MHD_HTTP_OK, http->metrics.response);
}

static enum MHD_Result send_status(struct http *http, struct MHD_Connection *connection)
{
	struct page *page = NULL;
	struct doc doc = { 0 };

	if (http->status.response == NULL) {
		page = board_take(http->board);
		if (page == NULL)
			return send_words(connection, MHD_HTTP_SERVICE_UNAVAILABLE, "it has just been started");
		status_write(&doc, page, clock_wall_ms());
		page_unref(page);
		http->status.response = respond(&doc, "application/json");
		http->status.made_ns = clock_mono_ns();
	}
	return MHD_queue_response(connection, MHD_HTTP_OK, http->status.response);
}

static enum MHD_Result send_health(struct http *http, struct MHD_Connection *connection, bool ready)
{
	struct page *page = board_take(http->board);
	struct doc doc = { 0 };
	bool good = ready ? status_ready(&doc, page) : status_healthy(&doc, page, clock_mono_ns());

	page_unref(page);
	return send_text(connection, good ? MHD_HTTP_OK : MHD_HTTP_SERVICE_UNAVAILABLE, &doc);
}

/* ---- requests ---- */

static struct slot *slot_of(struct http *http, const struct MHD_Connection *connection)
{
	for (int i = 0; i < CONNECTIONS_MAX; i++)
		if (http->slots[i].connection == connection)
			return &http->slots[i];
	return NULL;
}

/* It has REQUEST_MAX_MS from here on. */
static void touch(struct http *http, const struct MHD_Connection *connection)
{
	struct slot *slot = slot_of(http, connection);

	if (slot != NULL)
		slot->since_ns = clock_mono_ns();
}

/* Called with the header first, and again when all of the request is there: answered before that, the connection could
 * not be used again. */
static enum MHD_Result requested(void *owner, struct MHD_Connection *connection, const char *url, const char *method,
				 const char *version, const char *body, size_t *body_len, void **seen)
{
	static char mark;

	(void)version;
	(void)body;
	if (strcmp(method, MHD_HTTP_METHOD_GET) != 0)
		return send_words(connection, MHD_HTTP_METHOD_NOT_ALLOWED, "only GET is answered here");
	if (*body_len > 0)
		return MHD_NO;
	if (*seen == NULL) {
		*seen = &mark;
		touch(owner, connection);
		return MHD_YES;
	}
	if (strcmp(url, "/metrics") == 0)
		return send_metrics(owner, connection);
	if (strcmp(url, "/status") == 0)
		return send_status(owner, connection);
	if (strcmp(url, "/healthz") == 0 || strcmp(url, "/readyz") == 0)
		return send_health(owner, connection, url[1] == 'r');
	return send_words(connection, MHD_HTTP_NOT_FOUND, "krmirrord: /metrics /status /healthz /readyz");
}

/* ---- connections ---- */

static void came_or_went(void *owner, struct MHD_Connection *connection, void **context,
			 enum MHD_ConnectionNotificationCode what)
{
	struct slot *slot = slot_of(owner, what == MHD_CONNECTION_NOTIFY_STARTED ? NULL : connection);
	const union MHD_ConnectionInfo *info = MHD_get_connection_info(connection, MHD_CONNECTION_INFO_CONNECTION_FD);

	(void)context;
	if (slot == NULL || info == NULL)
		return;
	*slot = (struct slot){ .since_ns = clock_mono_ns(), .fd = info->connect_fd };
	slot->connection = what == MHD_CONNECTION_NOTIFY_STARTED ? connection : NULL;
}

static void answered(void *owner, struct MHD_Connection *connection, void **seen, enum MHD_RequestTerminationCode how)
{
	(void)seen;
	(void)how;
	touch(owner, connection);
}

static void cut_late(struct http *http, int64_t now)
{
	for (int i = 0; i < CONNECTIONS_MAX; i++) {
		struct slot *slot = &http->slots[i];

		if (slot->connection == NULL || slot->cut || now - slot->since_ns < REQUEST_MAX_MS * NS_PER_MS)
			continue;
		slot->cut = true;
		listener_cut(slot->fd);
	}
}

static void *thread_main(void *arg)
{
	struct http *http = arg;

	pthread_setname_np(pthread_self(), "krm-http");
	while (!http->stop) {
		int64_t now;

		MHD_run_wait(http->daemon, TURN_MS);
		now = clock_mono_ns();
		cut_late(http, now);
		if (now - http->metrics.made_ns >= CACHE_MS * NS_PER_MS)
			drop_answer(&http->metrics);
		if (now - http->status.made_ns >= CACHE_MS * NS_PER_MS)
			drop_answer(&http->status);
	}
	return NULL;
}

/* ---- life ---- */

static void tell(void *owner, const char *fmt, va_list ap) __attribute__((format(printf, 2, 0)));

static void tell(void *owner, const char *fmt, va_list ap)
{
	char text[300];
	size_t len;

	(void)owner;
	vsnprintf(text, sizeof(text), fmt, ap);
	len = strcspn(text, "\n");
	text[len] = '\0';
	log_debug("http", "the library says", "text=" LOG_Q, text);
}

struct http *http_open(const struct endpoint *at, struct board *board, struct err *err)
{
	struct http *http = xcalloc(1, sizeof(*http));
	int fd = listener_bind(at->host, at->port, http->address, sizeof(http->address), err);

	http->board = board;
	if (fd >= 0)
		http->daemon = MHD_start_daemon(
			MHD_USE_EPOLL | MHD_USE_ERROR_LOG, 0, NULL, NULL, requested, http,
			MHD_OPTION_EXTERNAL_LOGGER, tell, NULL, MHD_OPTION_LISTEN_SOCKET, fd,
			MHD_OPTION_CONNECTION_LIMIT, (unsigned)CONNECTIONS_MAX,
			MHD_OPTION_CONNECTION_MEMORY_LIMIT, (size_t)MEMORY_MAX,
			MHD_OPTION_CONNECTION_TIMEOUT, (unsigned)IDLE_S,
			MHD_OPTION_NOTIFY_CONNECTION, came_or_went, http,
			MHD_OPTION_NOTIFY_COMPLETED, answered, http, MHD_OPTION_END);
	if (fd >= 0 && http->daemon == NULL) {
		listener_shut(fd);
		err_set(err, RC_UNSUPPORTED, "libmicrohttpd could not be started");
	}
	if (http->daemon == NULL) {
		xfree(http);
		return NULL;
	}
	CHECK(pthread_create(&http->thread, NULL, thread_main, http) == 0);
	return http;
}

const char *http_address(const struct http *http)
{
	return http->address;
}

void http_close(struct http *http)
{
	if (http == NULL)
		return;
	http->stop = true;
	pthread_join(http->thread, NULL);
	drop_answer(&http->metrics);
	drop_answer(&http->status);
	MHD_stop_daemon(http->daemon);
	xfree(http);
}
