/* SPDX-License-Identifier: Apache-2.0 */
/* The process of the two stub brokers: options, sockets, one epoll loop.
 *
 *   bench_stub --shared=FILE [--cpu=1] [--raw] [--partitions=N] [--rate=N] [--verify] [--spin]
 *              [--slots=N --batches=N --batch-bytes=N --record-bytes=N --codec=N]
 *
 * With --raw it is what the dumb relay is set between: the same bytes without end on one port, a drain on the other.
 * With --rate the source has records that are made at that pace, each stamped with the time of its making. It ends
 * when its standard input ends. */
#include "stub.h"

#include "base/mem.h"

#include <errno.h>
#include <fcntl.h>
#include <signal.h>
#include <netinet/in.h>
#include <stdio.h>
#include <string.h>
#include <sys/epoll.h>
#include <sys/random.h>
#include <sys/sendfile.h>
#include <sys/socket.h>
#include <sys/timerfd.h>
#include <unistd.h>

enum { EVENTS_MAX = 32, IN_WHOLE = 16 << 20, SENDS_MAX = 64 };

void stub_count(atomic_ullong *counter, uint64_t n)
{
	/* One writer: no need to lock the bus. */
	atomic_store_explicit(counter, atomic_load_explicit(counter, memory_order_relaxed) + n, memory_order_relaxed);
}

/* ---- output ---- */

uint8_t *peer_room(struct peer *peer, size_t len)
{
	if (peer->out_cap - peer->out_end < len) {
		peer->out_cap = MAX(peer->out_cap * 2, peer->out_end + len);
		peer->out = xrealloc(peer->out, peer->out_cap, 1);
	}
	return peer->out + peer->out_end;
}

static void watch(struct peer *peer, bool wants_out)
{
	struct epoll_event e = { .events = EPOLLIN | (wants_out ? (uint32_t)EPOLLOUT : 0), .data.ptr = peer };

	if (peer->wants_out == wants_out)
		return;
	peer->wants_out = wants_out;
	if (epoll_ctl(peer->stub->epoll, EPOLL_CTL_MOD, peer->fd, &e) < 0)
		bench_die("epoll_ctl: %s", strerror(errno));
}

/* False when the socket is full. A lost connection is left to the reading side. */
static bool sent(ssize_t n)
{
	if (n < 0 && errno != EAGAIN && errno != EPIPE && errno != ECONNRESET)
		bench_die("stub: send: %s", strerror(errno));
	return n > 0;
}

static bool flush_bytes(struct peer *peer)
{
	struct stub_parse *ps = &peer->parse;

	while (peer->out_at < (ps->answering ? ps->answer_at : peer->out_end)) {
		size_t end = ps->answering ? ps->answer_at : peer->out_end;
		ssize_t n = send(peer->fd, peer->out + peer->out_at, end - peer->out_at, MSG_NOSIGNAL);

		if (!sent(n))
			return false;
		peer->out_at += (size_t)n;
	}
	memmove(peer->out, peer->out + peer->out_at, peer->out_end - peer->out_at);
	ps->answer_at -= MIN(peer->out_at, ps->answer_at);
	peer->out_end -= peer->out_at;
	peer->out_at = 0;
	return true;
}

void peer_flush(struct peer *peer)
{
	bool done = flush_bytes(peer);

	for (int i = 0; done && peer->file_left > 0; i++) {
		ssize_t n = sendfile(peer->fd, peer->file, &peer->file_at, peer->file_left);

		done = sent(n) && i < SENDS_MAX;
		if (n > 0)
			peer->file_left -= (size_t)n;
	}
	watch(peer, !done);
}

/* ---- connections ---- */

static void accept_all(struct stub *s, int listener)
{
	for (;;) {
		int fd = accept4(listener, NULL, NULL, SOCK_NONBLOCK | SOCK_CLOEXEC);
		struct peer *peer;

		if (fd < 0)
			return;
		bench_nodelay(fd);
		peer = xcalloc(1, sizeof(*peer));
		peer->stub = s;
		peer->fd = fd;
		peer->source = listener == s->listen_source;
		peer->in_cap = s->opts.verify ? IN_WHOLE : BENCH_IO_BYTES;
		peer->in = xmalloc(peer->in_cap);
		peer->next = s->peers;
		s->peers = peer;
		if (peer->source)
			source_open(peer);
		if (peer->source && s->opts.mode == STUB_RAW && s->opts.rate == 0)
			image_make(&peer->image, &s->opts.image);
		if (epoll_ctl(s->epoll, EPOLL_CTL_ADD, fd, &(struct epoll_event){ .events = EPOLLIN, .data.ptr = peer }) < 0)
			bench_die("epoll_ctl: %s", strerror(errno));
		if (peer->source && s->opts.mode == STUB_RAW)
			source_tick(peer, bench_now_ns());
	}
}

static void drop(struct peer *peer)
{
	struct peer **p = &peer->stub->peers;

	while (*p != peer)
		p = &(*p)->next;
	*p = peer->next;
	if (peer->source)
		source_close(peer);
	close(peer->fd);
	xfree(peer->in);
	xfree(peer->out);
	xfree(peer);
}

/* Counts bytes without taking them out of the kernel. */
static bool drain(struct peer *peer)
{
	ssize_t n = recv(peer->fd, NULL, 1 << 20, MSG_TRUNC);

	if (n > 0)
		stub_count(&peer->stub->shared->sink_bytes, (uint64_t)n);
	return n > 0 || (n < 0 && errno == EAGAIN);
}

/* False when the connection has ended. */
static bool receive(struct peer *peer)
{
	ssize_t n;

	if (peer->in_at > 0) {
		memmove(peer->in, peer->in + peer->in_at, peer->in_end - peer->in_at);
		peer->in_end -= peer->in_at;
		peer->in_at = 0;
	}
	if (peer->in_end == peer->in_cap)
		bench_die("stub: a request larger than %zu bytes", peer->in_cap);
	if (!peer->source && peer->stub->opts.mode == STUB_RAW && peer->stub->opts.rate == 0)
		return drain(peer);
	n = recv(peer->fd, peer->in + peer->in_end, peer->in_cap - peer->in_end, 0);
	if (n == 0 || (n < 0 && errno != EAGAIN))
		return false;
	if (n < 0)
		return true;
	peer->in_end += (size_t)n;
	if (peer->source)
		source_input(peer);
	else
		sink_input(peer);
	return true;
}

static void handle(struct peer *peer, uint32_t events)
{
	if (events & EPOLLOUT) {
		peer_flush(peer);
		if (!peer->wants_out && peer->source)
			source_tick(peer, bench_now_ns());
	}
	if ((events & (EPOLLIN | EPOLLHUP | EPOLLERR)) && !receive(peer))
		drop(peer);
}

/* ---- the loop ---- */

static void tick_all(struct stub *s)
{
	uint64_t now = bench_now_ns();

	if (s->opts.rate > 0)
		source_produce(s, now);
	for (struct peer *p = s->peers; p != NULL; p = p->next)
		if (p->source && (s->opts.mode == STUB_KAFKA || s->opts.rate > 0) && p->file_left == 0)
			source_tick(p, now);
}

/* False when standard input has ended. */
static bool dispatch(struct stub *s, const struct epoll_event *e)
{
	uint64_t expirations;
	char c;

	if (e->data.ptr == &s->listen_source || e->data.ptr == &s->listen_sink)
		accept_all(s, *(const int *)e->data.ptr);
	else if (e->data.ptr == &s->timer)
		(void)!read(s->timer, &expirations, sizeof(expirations));
	else if (e->data.ptr == s)
		return read(STDIN_FILENO, &c, 1) > 0;
	else
		handle(e->data.ptr, e->events);
	return true;
}

/* Time is counted as busy from the first event until a poll finds none. */
static void run(struct stub *s)
{
	struct epoll_event events[EVENTS_MAX];
	uint64_t busy_since = bench_now_ns();

	for (;;) {
		int n = epoll_wait(s->epoll, events, EVENTS_MAX, 0);

		if (n == 0 && busy_since != 0) {
			stub_count(&s->shared->busy_ns, bench_now_ns() - busy_since);
			busy_since = 0;
		}
		if (n == 0 && !s->opts.spin)
			n = epoll_wait(s->epoll, events, EVENTS_MAX, -1);
		if (n < 0 && errno != EINTR)
			bench_die("epoll_wait: %s", strerror(errno));
		if (n > 0 && busy_since == 0)
			busy_since = bench_now_ns();
		for (int i = 0; i < n; i++)
			if (!dispatch(s, &events[i]))
				return;
		if (n > 0)
			tick_all(s);
	}
}

static void add(struct stub *s, int fd, void *what)
{
	if (epoll_ctl(s->epoll, EPOLL_CTL_ADD, fd, &(struct epoll_event){ .events = EPOLLIN, .data.ptr = what }) < 0)
		bench_die("epoll_ctl: %s", strerror(errno));
}

/* At a rate the records are due by the timer; without, it only ends long polls. */
static void open_timer(struct stub *s)
{
	long ns = s->opts.rate > 0 ? 1000000000L / s->opts.rate : 10000000;
	struct itimerspec t = { .it_value.tv_nsec = ns, .it_interval.tv_nsec = ns };

	s->timer = timerfd_create(CLOCK_MONOTONIC, TFD_NONBLOCK | TFD_CLOEXEC);
	if (s->timer < 0 || timerfd_settime(s->timer, 0, &t, NULL) < 0)
		bench_die("timerfd: %s", strerror(errno));
	s->made_since_ns = bench_now_ns();
	add(s, s->timer, &s->timer);
}

static void read_opts(struct stub *s, int argc, char **argv)
{
	struct stub_opts *o = &s->opts;

	o->mode = bench_arg(argc, argv, "raw") != NULL ? STUB_RAW : STUB_KAFKA;
	o->partitions = (int)bench_arg_int(argc, argv, "partitions", 1);
	o->rate = (int)bench_arg_int(argc, argv, "rate", 0);
	o->verify = bench_arg(argc, argv, "verify") != NULL;
	o->spin = bench_arg(argc, argv, "spin") != NULL;
	o->image = (struct image_opts){
		.slots = (int)bench_arg_int(argc, argv, "slots", 1),
		.batches = (int)bench_arg_int(argc, argv, "batches", 64),
		.batch_bytes = (int)bench_arg_int(argc, argv, "batch-bytes", 16384),
		.record_bytes = (int)bench_arg_int(argc, argv, "record-bytes", 1024),
		.codec = (int)bench_arg_int(argc, argv, "codec", 0),
	};
}

int main(int argc, char **argv)
{
	const char *path = bench_arg(argc, argv, "shared");
	struct stub s = { .timer = -1 };
	int32_t records;

	if (path == NULL)
		bench_die("usage: bench_stub --shared=FILE [options]; see the head of stub.c");
	bench_pin((int)bench_arg_int(argc, argv, "cpu", 1));
	signal(SIGPIPE, SIG_IGN);  /* sendfile knows no MSG_NOSIGNAL */
	read_opts(&s, argc, argv);
	s.shared = bench_shared_map(path);
	s.logs = xcalloc((size_t)s.opts.partitions, sizeof(*s.logs));
	arena_init(&s.arena, 0);
	if (getrandom(s.topic_id, sizeof(s.topic_id), 0) != sizeof(s.topic_id))
		bench_die("getrandom: %s", strerror(errno));
	if (s.opts.rate > 0) {
		s.record = image_batch(&s.opts.image, &s.record_len, &records);
		s.stamps = xcalloc(STUB_STAMPS, sizeof(*s.stamps));
		s.shared->message_len = s.record_len;
	}
	memcpy(s.shared->topic_id, s.topic_id, sizeof(s.topic_id));
	s.epoll = epoll_create1(EPOLL_CLOEXEC);
	s.listen_source = bench_listen(&s.shared->source_port);
	s.listen_sink = bench_listen(&s.shared->sink_port);
	add(&s, s.listen_source, &s.listen_source);
	add(&s, s.listen_sink, &s.listen_sink);
	add(&s, STDIN_FILENO, &s);
	open_timer(&s);
	atomic_store(&s.shared->stub_pid, (int)getpid());
	run(&s);
	return 0;
}
