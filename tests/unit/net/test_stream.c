/* SPDX-License-Identifier: Apache-2.0 */
/* A connection over a stream that never finishes its handshake, and over one that fails it. */
#include "test_conn.h"

#include "base/mem.h"
#include "net/stream.h"

#include <errno.h>
#include <string.h>
#include <unistd.h>

struct slow_stream {
	struct stream stream;
	struct op *handshake;
	int res;
};

static void slow_handshake(struct stream *stream, struct op *op)
{
	struct slow_stream *slow = container_of(stream, struct slow_stream, stream);

	if (slow->res != 0)
		loop_defer(stream->loop, op, slow->res);
	else
		slow->handshake = op;
}

static void slow_close(struct stream *stream, struct op *op)
{
	struct slow_stream *slow = container_of(stream, struct slow_stream, stream);

	if (slow->handshake != NULL)
		loop_defer(stream->loop, slow->handshake, -ECANCELED);
	slow->handshake = NULL;
	loop_defer(stream->loop, op, 0);
}

static void slow_destroy(struct stream *stream)
{
	loop_close(stream->loop, stream->fd);
	xfree(container_of(stream, struct slow_stream, stream));
}

static bool slow_explain(const struct stream *stream, int res, struct err *err)
{
	(void)stream;
	err_set(err, RC_AUTH, "the certificate is for somebody else (%d)", res);
	return true;
}

struct slow_maker {
	struct stream_maker maker;
	int res;
};

static struct stream *slow_make(const struct stream_maker *maker, struct loop *loop, int fd)
{
	static const struct stream_ops slow_ops = {
		.name = "slow", .handshake = slow_handshake, .close = slow_close, .destroy = slow_destroy,
		.explain = slow_explain,
	};
	const struct slow_maker *m = (const struct slow_maker *)(const void *)maker;
	struct slow_stream *slow = xcalloc(1, sizeof(*slow));

	slow->stream = (struct stream){ &slow_ops, loop, fd };
	slow->res = m->res;
	return &slow->stream;
}

START_TEST(handshakes_fail_and_time_out)
{
	struct slow_maker maker = { { slow_make }, -EPROTO };
	struct conn_opts opts = { .frame_max = FRAME_MAX, .connect_timeout_ns = 5 * NS_PER_MS, .maker = &maker.maker };
	struct side side;
	int fds[2];

	side_init(&side, _i);
	for (int i = 1; i <= 2; i++) {
		tcp_pair(fds);
		conn_adopt(&side.conn, fds[0], &opts);
		step_until(side.loop, side.n_closed == i);
		close(fds[1]);
		if (i == 1) {
			ck_assert_int_eq(side.why.rc, RC_AUTH);
			ck_assert_ptr_nonnull(strstr(side.why.text, ": the certificate is for somebody else"));
		} else {
			ck_assert_int_eq(side.why.rc, RC_TIMEOUT);
			ck_assert_ptr_nonnull(strstr(side.why.text, "the slow handshake took longer than 5 ms"));
		}
		maker.res = 0;
	}
	ck_assert_int_eq(side.n_ready, 0);
	side_down(&side);
}
END_TEST

TCase *stream_tests(void)
{
	TCase *tcase = tcase_create("stream");

	tcase_set_timeout(tcase, 100);
	add_for_engines(tcase, handshakes_fail_and_time_out);
	return tcase;
}
