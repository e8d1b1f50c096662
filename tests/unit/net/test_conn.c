/* SPDX-License-Identifier: Apache-2.0 */
/* A connection against a peer that the test plays by hand, one system call at a time. */
#include "test_conn.h"

#include "base/mem.h"

#include <errno.h>
#include <limits.h>
#include <poll.h>
#include <string.h>
#include <unistd.h>

enum { N_SENDS = 3000 };

static void on_ready(struct conn *conn)
{
	((struct side *)conn->owner)->n_ready++;
}

static struct buf *on_alloc(struct conn *conn, size_t len)
{
	struct side *side = conn->owner;

	side->n_allocs++;
	return side->starved ? NULL : buf_get(side->pool, len);
}

static void on_frame(struct conn *conn, struct buf *frame)
{
	struct side *side = conn->owner;

	ck_assert_int_lt(side->n_frames, (int)ARRAY_LEN(side->frames));
	side->frames[side->n_frames++] = frame;
	if (side->close_in_frame)
		conn_close(conn, RC_CLOSED, "enough");
}

static void on_closed(struct conn *conn, const struct err *why)
{
	struct side *side = conn->owner;

	ck_assert(!conn_is_open(conn));
	side->n_closed++;
	side->why = *why;
	if (side->on_closed != NULL)
		side->on_closed(side);
}

static const struct conn_ops ops = { on_ready, on_alloc, on_frame, on_closed };

void side_init(struct side *side, int engine)
{
	memset(side, 0, sizeof(*side));
	side->fds_before = count_fds();
	side->loop = test_loop(engine);
	side->pool = buf_pool_create(64 << 20);
	side->peer = -1;
	conn_init(&side->conn, side->loop, &ops, side);
}

static const struct conn_opts plain_opts = { .frame_max = FRAME_MAX };

/* Ready, with side->peer at the other end. */
static void up(struct side *side, int engine)
{
	int fds[2];

	side_init(side, engine);
	tcp_pair(fds);
	side->peer = fds[1];
	conn_adopt(&side->conn, fds[0], &plain_opts);
	ck_assert_int_eq(side->n_ready, 0);
	step_until(side->loop, side->n_ready == 1);
	ck_assert(conn_is_ready(&side->conn));
}

static void drop_frames(struct side *side)
{
	for (int i = 0; i < side->n_frames; i++)
		buf_unref(side->frames[i]);
	side->n_frames = 0;
}

void side_down(struct side *side)
{
	int closed = side->n_closed;

	if (conn_is_open(&side->conn)) {
		conn_close(&side->conn, RC_CLOSED, "the test ends");
		ck_assert_int_eq(side->n_closed, closed);
		step_until(side->loop, side->n_closed == closed + 1);
	}
	drop_frames(side);
	ck_assert_uint_eq(buf_pool_used(side->pool), 0);
	conn_fini(&side->conn);
	buf_pool_destroy(side->pool);
	if (side->peer >= 0)
		close(side->peer);
	loop_destroy(side->loop);
	ck_assert_int_eq(count_fds(), side->fds_before);
}

static size_t put_frame(uint8_t *to, size_t len, unsigned seed)
{
	to[0] = (uint8_t)(len >> 24);
	to[1] = (uint8_t)(len >> 16);
	to[2] = (uint8_t)(len >> 8);
	to[3] = (uint8_t)len;
	for (size_t i = 0; i < len; i++)
		to[4 + i] = (uint8_t)(seed + i * 13 + (i >> 10));
	return len + 4;
}

static void check_frame(const struct buf *frame, size_t len, unsigned seed)
{
	size_t wrong = 0;

	ck_assert_uint_eq(frame->len, len);
	for (size_t i = 0; i < len; i++)
		wrong += frame->data[i] != (uint8_t)(seed + i * 13 + (i >> 10));
	ck_assert_uint_eq(wrong, 0);
}

/* Writes all of it, while the loop runs. */
static void peer_write(struct side *side, const uint8_t *data, size_t len)
{
	int64_t end = clock_mono_ns() + PATIENCE_NS;

	while (len > 0) {
		ssize_t n = write(side->peer, data, len);

		ck_assert(clock_mono_ns() < end);
		if (n < 0) {
			ck_assert_int_eq(errno, EAGAIN);
			loop_step(side->loop, clock_mono_ns() + NS_PER_MS);
			continue;
		}
		data += n;
		len -= (size_t)n;
	}
}

START_TEST(frames_come_one_byte_at_a_time)
{
	struct side side;
	uint8_t out[512];
	size_t len = put_frame(out, 100, 1);

	len += put_frame(out + len, 0, 2);
	len += put_frame(out + len, 37, 3);
	up(&side, _i);
	for (size_t i = 0; i < len; i++) {
		peer_write(&side, out + i, 1);
		loop_step(side.loop, clock_mono_ns() + NS_PER_MS / 4);
	}
	step_until(side.loop, side.n_frames == 3);
	check_frame(side.frames[0], 100, 1);
	check_frame(side.frames[1], 0, 2);
	check_frame(side.frames[2], 37, 3);
	side_down(&side);
}
END_TEST

START_TEST(frames_are_split_at_every_byte)
{
	struct side side;
	uint8_t out[256];
	size_t len = put_frame(out, 29, 1);

	len += put_frame(out + len, 41, 2);
	up(&side, _i);
	for (size_t at = 1; at < len; at++) {
		int before = side.n_frames;

		peer_write(&side, out, at);
		/* So that the first part is received by itself. */
		step_until(side.loop, side.n_frames == before + (at >= 33));
		loop_step(side.loop, clock_mono_ns() + NS_PER_MS / 4);
		peer_write(&side, out + at, len - at);
		step_until(side.loop, side.n_frames == before + 2);
		check_frame(side.frames[before], 29, 1);
		check_frame(side.frames[before + 1], 41, 2);
		drop_frames(&side);
	}
	side_down(&side);
}
END_TEST

START_TEST(many_small_frames_come_in_one_segment)
{
	struct side side;
	uint8_t out[8192];
	size_t len = 0;

	for (unsigned i = 0; i < 200; i++)
		len += put_frame(out + len, i % 32, i);
	up(&side, _i);
	ck_assert_int_eq(write(side.peer, out, len), (ssize_t)len);
	step_until(side.loop, side.n_frames == 200);
	for (unsigned i = 0; i < 200; i++)
		check_frame(side.frames[i], i % 32, i);
	side_down(&side);
}
END_TEST

/* Around each size at which the way of receiving changes: what is staged, what is received in place. */
START_TEST(frames_of_every_kind_of_size_follow_each_other)
{
	static const size_t sizes[] = { 4091, 4096, 4097, 4100, 12287, 12288, 12289, 16379, 16380, 16381, 16384, 16388, 20475,
	                                20480, 20481, 20484, 40000, 1 << 20, 3, 0, 8 << 20, 1 };
	struct side side;
	uint8_t *out = xmalloc((8 << 20) + 4);

	up(&side, _i);
	for (int round = 0; round < 2; round++) {
		for (unsigned i = 0; i < ARRAY_LEN(sizes); i++)
			peer_write(&side, out, put_frame(out, sizes[i], i));
		step_until(side.loop, side.n_frames == (int)ARRAY_LEN(sizes));
		for (unsigned i = 0; i < ARRAY_LEN(sizes); i++)
			check_frame(side.frames[i], sizes[i], i);
		drop_frames(&side);
	}
	xfree(out);
	side_down(&side);
}
END_TEST

START_TEST(no_buffer_stops_reading_until_resume)
{
	struct side side;
	size_t len = 6 << 20, sent = 0;
	uint8_t *out = xmalloc(len + 4);
	int64_t quiet;

	put_frame(out, len, 5);
	up(&side, _i);
	side.starved = true;
	for (quiet = 0; quiet < 20;) {
		ssize_t n = write(side.peer, out + sent, len + 4 - sent);

		sent += n > 0 ? (size_t)n : 0;
		quiet = n > 0 ? 0 : quiet + 1;
		loop_step(side.loop, clock_mono_ns() + NS_PER_MS);
	}
	/* The peer is held up, and the owner is not asked over and over. */
	ck_assert_uint_lt(sent, len);
	ck_assert_int_eq(side.n_allocs, 1);
	conn_resume(&side.conn);
	conn_resume(&side.conn);
	step_until(side.loop, side.n_allocs == 2);
	side.starved = false;
	conn_resume(&side.conn);
	peer_write(&side, out + sent, len + 4 - sent);
	step_until(side.loop, side.n_frames == 1);
	ck_assert_int_eq(side.n_allocs, 3);
	check_frame(side.frames[0], len, 5);
	conn_resume(&side.conn);
	xfree(out);
	side_down(&side);
}
END_TEST

static void check_refused(int engine, const void *bytes, size_t len, const char *text, const char *hint)
{
	struct side side;

	up(&side, engine);
	peer_write(&side, bytes, len);
	step_until(side.loop, side.n_closed == 1);
	ck_assert_int_eq(side.why.rc, RC_PROTO);
	ck_assert_msg(strstr(side.why.text, "127.0.0.1:") != NULL, "%s", side.why.text);
	ck_assert_msg(strstr(side.why.text, text) != NULL, "%s", side.why.text);
	ck_assert_msg(strstr(side.why.hint, hint) != NULL, "%s", side.why.hint);
	ck_assert_int_eq(side.n_allocs, 0);
	side_down(&side);
}

START_TEST(impossible_lengths_are_refused_with_a_guess)
{
	check_refused(_i, "HTTP/1.1 400 Bad Request\r\n", 26, "1213486160 > 16777216: the peer speaks HTTP", "HTTP");
	check_refused(_i, "\x15\x03\x03\x00\x02\x02\x46", 7, "TLS alert (it begins with 15 03 03 00 02 02 46)", "SSL");
	check_refused(_i, "\xff\xff\xff\xff", 4, "frame length -1 is negative", "security.protocol");
	check_refused(_i, "\x80\x00\x00\x00", 4, "is negative", "check host");
	check_refused(_i, "\x01\x00\x00\x01", 4, "16777217 > 16777216", "check host");
}
END_TEST

START_TEST(peer_closes_and_resets)
{
	struct linger now = { .l_onoff = 1 };
	uint8_t out[64];
	struct side side;

	up(&side, _i);
	close(side.peer);
	side.peer = -1;
	step_until(side.loop, side.n_closed == 1);
	ck_assert_int_eq(side.why.rc, RC_CLOSED);
	ck_assert_msg(strstr(side.why.text, ": closed by the peer") != NULL, "%s", side.why.text);
	side_down(&side);

	up(&side, _i);
	put_frame(out, 60, 1);
	peer_write(&side, out, 30);
	close(side.peer);
	side.peer = -1;
	step_until(side.loop, side.n_closed == 1);
	ck_assert_int_eq(side.why.rc, RC_CLOSED);
	ck_assert_msg(strstr(side.why.text, "in the middle of a frame (26 of 60 bytes)") != NULL, "%s", side.why.text);
	side_down(&side);

	up(&side, _i);
	peer_write(&side, out, 30);
	step_until(side.loop, side.n_allocs == 1);
	setsockopt(side.peer, SOL_SOCKET, SO_LINGER, &now, sizeof(now));
	close(side.peer);
	side.peer = -1;
	step_until(side.loop, side.n_closed == 1);
	ck_assert_int_eq(side.why.rc, -ECONNRESET);
	ck_assert_msg(strstr(side.why.text, ": Connection reset by peer") != NULL, "%s", side.why.text);
	side_down(&side);
}
END_TEST

START_TEST(close_in_a_callback_ends_the_frames)
{
	struct side side;
	uint8_t out[64];
	size_t len = put_frame(out, 8, 1);

	len += put_frame(out + len, 8, 2);
	up(&side, _i);
	side.close_in_frame = true;
	peer_write(&side, out, len);
	step_until(side.loop, side.n_closed == 1);
	ck_assert_int_eq(side.n_frames, 1);
	ck_assert_str_eq(side.why.text, "enough");
	side_down(&side);
}
END_TEST

/* ---- sending ---- */

struct outgoing {
	struct frame_out frame;
	struct iovec iov[3];
	uint8_t prefix[4];
	uint8_t head[61];
	int n_sent, res;
};

static void on_sent(struct frame_out *frame, int res)
{
	struct outgoing *out = container_of(frame, struct outgoing, frame);

	out->n_sent++;
	out->res = res;
}

/* A frame of prefix, 61 bytes, and body. */
static void prepare(struct outgoing *out, uint8_t *body, size_t body_len)
{
	size_t len = sizeof(out->head) + body_len;

	memset(out, 0, sizeof(*out));
	put_frame(out->prefix, 0, 0);
	out->prefix[1] = (uint8_t)(len >> 16);
	out->prefix[2] = (uint8_t)(len >> 8);
	out->prefix[3] = (uint8_t)len;
	memset(out->head, 'h', sizeof(out->head));
	out->iov[0] = (struct iovec){ out->prefix, sizeof(out->prefix) };
	out->iov[1] = (struct iovec){ out->head, sizeof(out->head) };
	out->iov[2] = (struct iovec){ body, body_len };
	out->frame = (struct frame_out){ .iov = out->iov, .n_iov = 3, .sent = on_sent };
}

/* What the peer has received so far is compared with the frames that were queued, byte for byte. */
struct reader {
	const struct outgoing *out;
	size_t n_out, at, iov, off;
	size_t total;
};

static void compare(struct reader *r, const uint8_t *data, size_t len)
{
	r->total += len;
	while (len > 0) {
		const struct iovec *iov;
		size_t n;

		ck_assert_uint_lt(r->at, r->n_out);
		iov = &r->out[r->at].iov[r->iov];
		n = MIN(len, iov->iov_len - r->off);
		ck_assert_int_eq(memcmp(data, (uint8_t *)iov->iov_base + r->off, n), 0);
		data += n;
		len -= n;
		r->off += n;
		if (r->off < iov->iov_len)
			continue;
		r->off = 0;
		if (++r->iov == 3) {
			r->iov = 0;
			r->at++;
		}
	}
}

static void peer_read(struct side *side, struct reader *r, size_t most)
{
	static uint8_t in[1 << 16];
	ssize_t n = read(side->peer, in, MIN(most, sizeof(in)));

	if (n > 0)
		compare(r, in, (size_t)n);
	else
		ck_assert(n == 0 || errno == EAGAIN);
}

START_TEST(queued_frames_go_out_in_order_and_whole)
{
	struct outgoing *out = xcalloc(N_SENDS, sizeof(*out));
	uint8_t *body = xmalloc(64 << 10);
	struct reader reader = { .out = out, .n_out = N_SENDS };
	struct side side;
	size_t total = 0;

	for (size_t i = 0; i < 64 << 10; i++)
		body[i] = (uint8_t)(i * 7 + (i >> 9));
	up(&side, _i);
	for (unsigned i = 0; i < N_SENDS; i++) {
		prepare(&out[i], body + i % 1000, i % 97 == 0 ? 60000 : i * 37 % 1500);
		total += out[i].iov[2].iov_len + 65;
		conn_send(&side.conn, &out[i].frame);
		ck_assert_int_eq(out[i].n_sent, 0);
	}
	ck_assert_uint_eq(conn_unsent(&side.conn), total);
	while (reader.total < total) {
		loop_step(side.loop, clock_mono_ns() + NS_PER_MS);
		peer_read(&side, &reader, 50000);
	}
	step_until(side.loop, out[N_SENDS - 1].n_sent == 1);
	ck_assert_uint_eq(conn_unsent(&side.conn), 0);
	for (unsigned i = 0; i < N_SENDS; i++) {
		ck_assert_int_eq(out[i].n_sent, 1);
		ck_assert_int_eq(out[i].res, 0);
	}
	side_down(&side);
	xfree(body);
	xfree(out);
}
END_TEST

START_TEST(frames_of_one_round_go_in_one_segment)
{
	static struct outgoing out[50];
	struct reader reader = { .out = out, .n_out = ARRAY_LEN(out) };
	uint8_t in[4096], body[10] = "0123456789";
	struct side side;
	ssize_t n;

	up(&side, _i);
	for (unsigned i = 0; i < ARRAY_LEN(out); i++) {
		prepare(&out[i], body, sizeof(body));
		conn_send(&side.conn, &out[i].frame);
	}
	step_until(side.loop, out[0].n_sent == 1);
	for (unsigned i = 0; i < ARRAY_LEN(out); i++)
		ck_assert_int_eq(out[i].n_sent, 1);
	n = read(side.peer, in, sizeof(in));
	ck_assert_int_eq(n, (ssize_t)(75 * ARRAY_LEN(out)));
	compare(&reader, in, (size_t)n);
	side_down(&side);
}
END_TEST

START_TEST(frames_that_are_queued_at_the_end_are_given_back_once)
{
	enum { N = 40 };
	static struct outgoing out[N];
	struct reader reader = { .out = out, .n_out = N };
	uint8_t *body = xcalloc(1, 1 << 20);
	struct side side;
	int sent = 0, cancelled = 0;

	up(&side, _i);
	for (unsigned i = 0; i < N; i++) {
		prepare(&out[i], body, 1 << 20);
		conn_send(&side.conn, &out[i].frame);
	}
	/* Until the socket is full, and then some that only wait. */
	for (int i = 0; i < 50; i++)
		loop_step(side.loop, clock_mono_ns() + NS_PER_MS);
	ck_assert_uint_gt(conn_unsent(&side.conn), 0);
	conn_close(&side.conn, RC_CLOSED, "closed with %d frames", N);
	conn_close(&side.conn, RC_PROTO, "not this one");
	ck_assert_int_eq(out[N - 1].n_sent, 0);
	ck_assert(conn_is_open(&side.conn));
	ck_assert(!conn_is_ready(&side.conn));
	step_until(side.loop, side.n_closed == 1);
	ck_assert_str_eq(side.why.text, "closed with 40 frames");
	for (unsigned i = 0; i < N; i++) {
		ck_assert_int_eq(out[i].n_sent, 1);
		sent += out[i].res == 0;
		cancelled += out[i].res == -ECANCELED;
	}
	ck_assert_int_eq(sent + cancelled, N);
	ck_assert_int_gt(cancelled, 0);
	/* Those that are called sent have arrived. */
	for (int64_t end = clock_mono_ns() + PATIENCE_NS; reader.at < (size_t)sent; peer_read(&side, &reader, 65536))
		ck_assert(clock_mono_ns() < end);
	side_down(&side);
	xfree(body);
}
END_TEST

START_TEST(reset_gives_queued_frames_back_with_the_error)
{
	struct linger now = { .l_onoff = 1 };
	static struct outgoing out[20];
	uint8_t *body = xcalloc(1, 1 << 20);
	struct side side;

	up(&side, _i);
	for (unsigned i = 0; i < ARRAY_LEN(out); i++) {
		prepare(&out[i], body, 1 << 20);
		conn_send(&side.conn, &out[i].frame);
	}
	for (int i = 0; i < 20; i++)
		loop_step(side.loop, clock_mono_ns() + NS_PER_MS);
	setsockopt(side.peer, SOL_SOCKET, SO_LINGER, &now, sizeof(now));
	close(side.peer);
	side.peer = -1;
	step_until(side.loop, side.n_closed == 1);
	ck_assert(side.why.rc == -ECONNRESET || side.why.rc == -EPIPE);
	for (unsigned i = 0; i < ARRAY_LEN(out); i++)
		ck_assert_int_eq(out[i].n_sent, 1);
	ck_assert_int_eq(out[ARRAY_LEN(out) - 1].res, side.why.rc);
	side_down(&side);
	xfree(body);
}
END_TEST

/* ---- dialling ---- */

static struct sockaddr_storage storage(const struct sockaddr_in *in)
{
	struct sockaddr_storage addr = { 0 };

	memcpy(&addr, in, sizeof(*in));
	return addr;
}

START_TEST(second_address_is_taken_when_the_first_refuses)
{
	struct sockaddr_in refusing, good;
	struct sockaddr_storage addrs[2];
	struct conn_opts opts = { addrs, 2, PATIENCE_NS, FRAME_MAX, 0, 0, NULL };
	struct side side;
	char port[16];
	int listening;

	side_init(&side, _i);
	listening = tcp_listen(1, &good);
	refusing_addr(&refusing);
	addrs[0] = storage(&refusing);
	addrs[1] = storage(&good);
	ck_assert_str_eq(conn_peer(&side.conn), "");
	conn_open(&side.conn, &opts);
	memset(addrs, 0, sizeof(addrs));
	step_until(side.loop, side.n_ready == 1);
	snprintf(port, sizeof(port), "127.0.0.1:%d", ntohs(good.sin_port));
	ck_assert_str_eq(conn_peer(&side.conn), port);
	close(listening);
	side_down(&side);
}
END_TEST

START_TEST(all_addresses_that_failed_are_named)
{
	struct sockaddr_in refusing[2];
	struct sockaddr_storage addrs[2];
	struct conn_opts opts = { addrs, 2, PATIENCE_NS, FRAME_MAX, 0, 0, NULL };
	struct side side;
	char text[256];

	side_init(&side, _i);
	for (int i = 0; i < 2; i++) {
		refusing_addr(&refusing[i]);
		addrs[i] = storage(&refusing[i]);
	}
	conn_open(&side.conn, &opts);
	step_until(side.loop, side.n_closed == 1);
	ck_assert_int_eq(side.why.rc, RC_CONNECT);
	snprintf(text, sizeof(text), "cannot connect to 127.0.0.1:%d: Connection refused; 127.0.0.1:%d: Connection refused",
	         ntohs(refusing[0].sin_port), ntohs(refusing[1].sin_port));
	ck_assert_str_eq(side.why.text, text);
	opts.n_addrs = 0;
	conn_open(&side.conn, &opts);
	ck_assert_int_eq(side.n_closed, 1);
	step_until(side.loop, side.n_closed == 2);
	ck_assert_int_eq(side.why.rc, RC_CONNECT);
	ck_assert_int_eq(side.n_ready, 0);
	side_down(&side);
}
END_TEST

/* A listener whose backlog is full: the kernel drops what comes, as a filtered port does. */
static int black_hole(struct sockaddr_in *addr, int fill[8])
{
	int listening = tcp_listen(0, addr);

	for (int i = 0; i < 8; i++) {
		struct pollfd poll_fd = { .events = POLLOUT };

		fill[i] = socket(AF_INET, SOCK_STREAM | SOCK_NONBLOCK | SOCK_CLOEXEC, 0);
		(void)connect(fill[i], (struct sockaddr *)addr, sizeof(*addr));
		poll_fd.fd = fill[i];
		(void)poll(&poll_fd, 1, 10);
	}
	return listening;
}

START_TEST(address_that_does_not_answer_is_left_in_time)
{
	struct sockaddr_in hole, good;
	struct sockaddr_storage addrs[2];
	struct conn_opts opts = { addrs, 2, 30 * NS_PER_MS, FRAME_MAX, 0, 0, NULL };
	struct side side;
	int fill[8], dark, listening;

	side_init(&side, _i);
	dark = black_hole(&hole, fill);
	listening = tcp_listen(1, &good);
	addrs[0] = storage(&hole);
	addrs[1] = storage(&good);
	conn_open(&side.conn, &opts);
	step_until(side.loop, side.n_ready + side.n_closed == 1);
	ck_assert_int_eq(side.n_ready, 1);
	conn_close(&side.conn, RC_CLOSED, "next");
	step_until(side.loop, side.n_closed == 1);
	opts.n_addrs = 1;
	conn_open(&side.conn, &opts);
	step_until(side.loop, side.n_closed == 2);
	ck_assert_int_eq(side.why.rc, RC_CONNECT);
	ck_assert_msg(strstr(side.why.text, ": no answer for 30 ms") != NULL, "%s", side.why.text);
	/* And closed while it dials. */
	opts.connect_timeout_ns = 1000 * NS_PER_S;
	conn_open(&side.conn, &opts);
	loop_step(side.loop, clock_mono_ns() + NS_PER_MS);
	conn_close(&side.conn, RC_CANCELLED, "changed my mind");
	step_until(side.loop, side.n_closed == 3);
	ck_assert_int_eq(side.why.rc, RC_CANCELLED);
	close(listening);
	close(dark);
	for (int i = 0; i < 8; i++)
		close(fill[i]);
	side_down(&side);
}
END_TEST

static void open_again(struct side *side)
{
	struct conn_opts none = { .frame_max = 1 };

	if (side->n_closed < 3)
		conn_open(&side->conn, &none);
}

START_TEST(connection_is_opened_again_in_closed)
{
	struct side side;

	up(&side, _i);
	side.on_closed = open_again;
	conn_close(&side.conn, RC_CLOSED, "first");
	step_until(side.loop, side.n_closed == 3);
	ck_assert_int_eq(side.why.rc, RC_CONNECT);
	side_down(&side);
}
END_TEST

TCase *conn_tests(void)
{
	TCase *tcase = tcase_create("conn");

	tcase_set_timeout(tcase, 100);
	add_for_engines(tcase, frames_come_one_byte_at_a_time);
	add_for_engines(tcase, frames_are_split_at_every_byte);
	add_for_engines(tcase, many_small_frames_come_in_one_segment);
	add_for_engines(tcase, frames_of_every_kind_of_size_follow_each_other);
	add_for_engines(tcase, no_buffer_stops_reading_until_resume);
	add_for_engines(tcase, impossible_lengths_are_refused_with_a_guess);
	add_for_engines(tcase, peer_closes_and_resets);
	add_for_engines(tcase, close_in_a_callback_ends_the_frames);
	add_for_engines(tcase, queued_frames_go_out_in_order_and_whole);
	add_for_engines(tcase, frames_of_one_round_go_in_one_segment);
	add_for_engines(tcase, frames_that_are_queued_at_the_end_are_given_back_once);
	add_for_engines(tcase, reset_gives_queued_frames_back_with_the_error);
	add_for_engines(tcase, second_address_is_taken_when_the_first_refuses);
	add_for_engines(tcase, all_addresses_that_failed_are_named);
	add_for_engines(tcase, address_that_does_not_answer_is_left_in_time);
	add_for_engines(tcase, connection_is_opened_again_in_closed);
	return tcase;
}
