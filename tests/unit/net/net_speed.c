/* SPDX-License-Identifier: Apache-2.0 */
/* How much CPU a connection costs: frames from a source process to a sink process through a relay that is measured,
 * once with recv and send by hand (what the loop is compared with), once with two connections on each engine.
 *
 *   net_speed [MiB [rounds [frame bytes]]]
 *
 * It fails when bytes are lost, never for its figures: those depend on the machine. */
#include "base/buf.h"
#include "base/clock.h"
#include "base/err.h"
#include "base/mem.h"
#include "net/conn.h"

#include <arpa/inet.h>
#include <netinet/tcp.h>
#include <string.h>
#include <sys/wait.h>
#include <time.h>
#include <unistd.h>

enum { BUF_BYTES = 256 << 10, HEAD = 61 };

struct result {
	double cpu_s, wall_s;
	uint64_t bytes;
};

static void need(bool ok, const char *what)
{
	if (ok)
		return;
	perror(what);
	_exit(1);
}

/* A connected pair; both ends block, and use a congestion control that does not pace. */
static void pair(int fds[2])
{
	struct sockaddr_in addr = { .sin_family = AF_INET, .sin_addr.s_addr = htonl(INADDR_LOOPBACK) };
	socklen_t len = sizeof(addr);
	int listening = socket(AF_INET, SOCK_STREAM, 0);

	(void)setsockopt(listening, IPPROTO_TCP, TCP_CONGESTION, "reno", 4);
	need(bind(listening, (struct sockaddr *)&addr, len) == 0 && listen(listening, 1) == 0, "listen");
	need(getsockname(listening, (struct sockaddr *)&addr, &len) == 0, "getsockname");
	fds[0] = socket(AF_INET, SOCK_STREAM, 0);
	(void)setsockopt(fds[0], IPPROTO_TCP, TCP_CONGESTION, "reno", 4);
	need(connect(fds[0], (struct sockaddr *)&addr, sizeof(addr)) == 0, "connect");
	fds[1] = accept(listening, NULL, NULL);
	need(fds[1] >= 0, "accept");
	close(listening);
}

static void source(int fd, size_t frame, uint64_t total)
{
	uint8_t *out = xcalloc(1, frame + 4);
	uint32_t prefix = htonl((uint32_t)frame);

	memcpy(out, &prefix, 4);
	for (uint64_t sent = 0; sent < total; sent += frame + 4)
		for (size_t at = 0; at < frame + 4;) {
			ssize_t n = send(fd, out + at, frame + 4 - at, MSG_NOSIGNAL);

			need(n > 0, "source");
			at += (size_t)n;
		}
	_exit(0);
}

static void sink(int fd, uint64_t total)
{
	/* Not written to: MSG_TRUNC throws the bytes away. */
	uint8_t *nothing = xmalloc(1 << 20);
	uint64_t got = 0;

	for (;;) {
		ssize_t n = recv(fd, nothing, 1 << 20, MSG_TRUNC);

		need(n >= 0, "sink");
		if (n == 0)
			_exit(got == total ? 0 : 2);
		got += (uint64_t)n;
	}
}

static void relay_by_hand(int in, int out)
{
	uint8_t *buf = xmalloc(BUF_BYTES);

	for (;;) {
		ssize_t n = recv(in, buf, BUF_BYTES, 0);

		need(n >= 0, "recv");
		if (n == 0)
			return;
		for (ssize_t at = 0; at < n;) {
			ssize_t sent = send(out, buf + at, (size_t)(n - at), MSG_NOSIGNAL);

			need(sent > 0, "send");
			at += sent;
		}
	}
}

/* ---- the relay of connections: the first bytes of each frame are sent from elsewhere, as a batch header is ---- */

struct relay {
	struct conn in, out;
	struct loop *loop;
	struct buf_pool *pool;
	size_t n_out;
	int closed;
};

struct parcel {
	struct frame_out frame;
	struct relay *relay;
	struct buf *buf;
	struct iovec iov[3];
	uint32_t prefix;
	uint8_t head[HEAD];
};

static void on_sent(struct frame_out *frame, int res)
{
	struct parcel *parcel = container_of(frame, struct parcel, frame);
	struct relay *relay = parcel->relay;

	need(res == 0, "frame");
	buf_unref(parcel->buf);
	xfree(parcel);
	conn_resume(&relay->in);
	if (--relay->n_out == 0 && !conn_is_open(&relay->in))
		conn_close(&relay->out, RC_CLOSED, "done");
}

static void on_ready(struct conn *conn)
{
	(void)conn;
}

static struct buf *on_alloc(struct conn *conn, size_t len)
{
	struct relay *relay = conn->owner;

	/* As a source with three fetches under way; the buffers are used again while they are in the cache. */
	if (relay->n_out > 0 && buf_pool_used(relay->pool) + len > MAX(3 * len, (size_t)BUF_BYTES))
		return NULL;
	return buf_get(relay->pool, len);
}

static void on_frame(struct conn *conn, struct buf *buf)
{
	struct relay *relay = conn->owner;
	struct parcel *parcel = xmalloc(sizeof(*parcel));
	size_t head = MIN(buf->len, (size_t)HEAD);

	parcel->relay = relay;
	parcel->buf = buf;
	parcel->prefix = htonl((uint32_t)buf->len);
	memcpy(parcel->head, buf->data, head);
	parcel->iov[0] = (struct iovec){ &parcel->prefix, 4 };
	parcel->iov[1] = (struct iovec){ parcel->head, head };
	parcel->iov[2] = (struct iovec){ buf->data + head, buf->len - head };
	parcel->frame = (struct frame_out){ .iov = parcel->iov, .n_iov = 3, .sent = on_sent };
	relay->n_out++;
	conn_send(&relay->out, &parcel->frame);
}

static void on_closed(struct conn *conn, const struct err *why)
{
	struct relay *relay = conn->owner;

	relay->closed++;
	if (conn == &relay->in && why->rc != RC_CLOSED)
		fprintf(stderr, "in: %s\n", why->text);
	if (conn == &relay->in && relay->n_out == 0)
		conn_close(&relay->out, RC_CLOSED, "done");
}

static void relay_by_conn(enum loop_engine engine, int in, int out)
{
	static const struct conn_ops ops = { on_ready, on_alloc, on_frame, on_closed };
	struct conn_opts opts = { .frame_max = 64 << 20 };
	struct relay relay = { 0 };
	struct err err = { 0 };

	relay.loop = loop_create(engine, &err);
	if (relay.loop == NULL) {
		fprintf(stderr, "%s\n", err.text);
		_exit(77);
	}
	relay.pool = buf_pool_create(48 << 20);
	conn_init(&relay.in, relay.loop, &ops, &relay);
	conn_init(&relay.out, relay.loop, &ops, &relay);
	conn_adopt(&relay.out, out, &opts);
	while (!conn_is_ready(&relay.out))
		loop_step(relay.loop, INT64_MAX);
	conn_adopt(&relay.in, in, &opts);
	while (relay.closed < 2)
		loop_step(relay.loop, INT64_MAX);
	conn_fini(&relay.in);
	conn_fini(&relay.out);
	buf_pool_destroy(relay.pool);
	loop_destroy(relay.loop);
}

static double cpu_s(void)
{
	struct timespec ts;

	clock_gettime(CLOCK_PROCESS_CPUTIME_ID, &ts);
	return (double)ts.tv_sec + (double)ts.tv_nsec / 1e9;
}

/* kind: -1 by hand, else an engine. */
static void measured(int kind, int in, int out, int report)
{
	struct result result = { 0 };
	int64_t start = clock_mono_ns();

	if (kind < 0)
		relay_by_hand(in, out);
	else
		relay_by_conn((enum loop_engine)kind, in, out);
	result.cpu_s = cpu_s();
	result.wall_s = (double)(clock_mono_ns() - start) / 1e9;
	need(write(report, &result, sizeof(result)) == (ssize_t)sizeof(result), "report");
	_exit(0);
}

static void keep_only(const int *keep, int n)
{
	for (int fd = 3; fd < 64; fd++) {
		bool kept = false;

		for (int i = 0; i < n; i++)
			kept = kept || keep[i] == fd;
		if (!kept)
			close(fd);
	}
}

static int run(int kind, size_t frame, uint64_t total, struct result *result)
{
	int in[2], out[2], report[2], status, worst = 0;
	pid_t pids[3];

	total = (total + frame + 3) / (frame + 4) * (frame + 4);
	pair(in);
	pair(out);
	need(pipe(report) == 0, "pipe");
	for (int i = 0; i < 3; i++) {
		pids[i] = fork();
		need(pids[i] >= 0, "fork");
		if (pids[i] != 0)
			continue;
		if (i == 0) {
			keep_only(&in[0], 1);
			source(in[0], frame, total);
		}
		if (i == 1) {
			keep_only(&out[1], 1);
			sink(out[1], total);
		}
		keep_only((int[]){ in[1], out[0], report[1] }, 3);
		measured(kind, in[1], out[0], report[1]);
	}
	keep_only(&report[0], 1);
	if (read(report[0], result, sizeof(*result)) != (ssize_t)sizeof(*result))
		worst = 1;
	close(report[0]);
	for (int i = 0; i < 3; i++) {
		need(waitpid(pids[i], &status, 0) == pids[i], "waitpid");
		if (!WIFEXITED(status) || WEXITSTATUS(status) != 0)
			worst = MAX(worst, WIFEXITED(status) ? WEXITSTATUS(status) : 1);
	}
	result->bytes = total;
	return worst;
}

static int compare(size_t frame, uint64_t total)
{
	static const struct { int kind; const char *name; } kinds[] = {
		{ -1, "recv/send" }, { LOOP_IO_URING, "io_uring" }, { LOOP_EPOLL, "epoll" },
	};
	double by_hand = 0;

	for (size_t i = 0; i < ARRAY_LEN(kinds); i++) {
		struct result r = { 0 };
		int status = run(kinds[i].kind, frame, total, &r);
		double gib = (double)r.bytes / (1 << 30);

		if (status == 77 && kinds[i].kind == LOOP_IO_URING)
			continue;
		if (status != 0) {
			printf("frames of %zu: %s failed with %d\n", frame, kinds[i].name, status);
			return 1;
		}
		by_hand = i == 0 ? r.cpu_s / gib : by_hand;
		printf("frames of %8zu: %-9s %.3f CPU-s/GiB (%.2fx), %.2f GiB/s\n", frame, kinds[i].name,
		       r.cpu_s / gib, r.cpu_s / gib / by_hand, gib / r.wall_s);
		fflush(stdout);
	}
	return 0;
}

int main(int argc, char **argv)
{
	static const size_t frames[] = { 1 << 20, 128 << 10, 16 << 10, 1 << 10 };
	uint64_t mib = argc > 1 ? strtoull(argv[1], NULL, 10) : 64;
	int rounds = argc > 2 ? (int)strtol(argv[2], NULL, 10) : 1;
	size_t only = argc > 3 ? strtoull(argv[3], NULL, 10) : 0;
	int failed = 0;

	for (int round = 0; round < rounds; round++)
		for (size_t i = 0; i < ARRAY_LEN(frames); i++)
			if (only == 0 || i == 0)
				failed |= compare(only > 0 ? only : frames[i], mib << 20);
	return failed;
}
