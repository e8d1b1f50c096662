/* SPDX-License-Identifier: Apache-2.0 */
/* The yardstick: a relay that knows nothing. One connection in, one out, one thread, io_uring recv and send with
 * 256 KiB and fixed files. With --direct it is the receiving end of one hop instead, for the lag without a relay.
 *
 *   bench_relay --shared=FILE [--cpu=0] [--warmup-ms=200] [--ms=1000]
 *   bench_relay --shared=FILE --direct [--cpu=0] [--ms=...] */
#include "common.h"

#include <errno.h>
#include <liburing.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <unistd.h>

struct relay {
	struct io_uring ring;
	uint8_t *buf;
	uint64_t bytes;
};

static void open_ring(struct relay *r, int in, int out)
{
	struct io_uring_params p = { .flags = IORING_SETUP_SINGLE_ISSUER | IORING_SETUP_DEFER_TASKRUN };
	int files[2] = { in, out };
	int rc = io_uring_queue_init_params(8, &r->ring, &p);

	if (rc < 0) {
		p = (struct io_uring_params){ 0 };
		rc = io_uring_queue_init_params(8, &r->ring, &p);
	}
	if (rc < 0)
		bench_die("io_uring: %s", strerror(-rc));
	rc = io_uring_register_files(&r->ring, files, 2);
	if (rc < 0)
		bench_die("io_uring_register_files: %s", strerror(-rc));
}

/* One operation on fixed file 0 (recv) or 1 (send); its result. */
static int one(struct relay *r, int file, uint8_t *p, size_t len)
{
	struct io_uring_sqe *sqe = io_uring_get_sqe(&r->ring);
	struct io_uring_cqe *cqe;
	int res;

	if (file == 0)
		io_uring_prep_recv(sqe, 0, p, len, 0);
	else
		io_uring_prep_send(sqe, 1, p, len, MSG_NOSIGNAL);
	sqe->flags |= IOSQE_FIXED_FILE;
	do
		res = io_uring_submit_and_wait(&r->ring, 1);
	while (res == -EINTR);
	if (res >= 0)
		res = io_uring_wait_cqe(&r->ring, &cqe);
	if (res < 0)
		return res;
	res = cqe->res;
	io_uring_cqe_seen(&r->ring, cqe);
	return res;
}

static void step(struct relay *r)
{
	int n = one(r, 0, r->buf, BENCH_IO_BYTES);

	if (n <= 0)
		bench_die("relay: recv: %s", n < 0 ? strerror(-n) : "end of stream");
	for (int at = 0; at < n;) {
		int sent = one(r, 1, r->buf + at, (size_t)(n - at));

		if (sent <= 0)
			bench_die("relay: send: %s", strerror(-sent));
		at += sent;
	}
	r->bytes += (uint64_t)n;
}

static void run_until(struct relay *r, uint64_t at_ns)
{
	while (bench_now_ns() < at_ns)
		step(r);
}

static int run_relay(struct bench_shared *s, int argc, char **argv)
{
	uint64_t ms = (uint64_t)bench_arg_int(argc, argv, "ms", 1000);
	uint64_t warmup_ms = (uint64_t)bench_arg_int(argc, argv, "warmup-ms", 200);
	int pid = atomic_load(&s->stub_pid);
	struct relay r = { .buf = aligned_alloc(4096, BENCH_IO_BYTES) };
	uint64_t t0, t1, cpu0, cpu1, stub0, busy0;

	if (r.buf == NULL)
		bench_die("out of memory");
	open_ring(&r, bench_connect(s->source_port), bench_connect(s->sink_port));
	run_until(&r, bench_now_ns() + warmup_ms * 1000000);
	r.bytes = 0;
	stub0 = bench_cpu_ns_of(pid);
	busy0 = atomic_load(&s->busy_ns);
	t0 = bench_now_ns();
	cpu0 = bench_cpu_ns();
	run_until(&r, t0 + ms * 1000000);
	cpu1 = bench_cpu_ns();
	t1 = bench_now_ns();
	printf("{\"seconds\": %.6f, \"cpu_s\": %.6f, \"bytes\": %llu, \"stub_cpu_s\": %.6f, \"stub_busy_s\": %.6f}\n",
	       (double)(t1 - t0) / 1e9, (double)(cpu1 - cpu0) / 1e9, (unsigned long long)r.bytes,
	       (double)(bench_cpu_ns_of(pid) - stub0) / 1e9, (double)(atomic_load(&s->busy_ns) - busy0) / 1e9);
	return 0;
}

/* Messages of one size, each with the time of its sending in its last nine bytes (a record's last is its header
 * count). */
static int run_direct(struct bench_shared *s, int argc, char **argv)
{
	size_t size = s->message_len, have = 0;
	uint64_t end = bench_now_ns() + (uint64_t)bench_arg_int(argc, argv, "ms", 2000) * 1000000;
	uint8_t buf[4096];
	int fd = bench_connect(s->source_port);

	if (size > sizeof(buf) || size < 9)
		bench_die("direct: messages of %zu bytes", size);
	while (bench_now_ns() < end) {
		ssize_t n = read(fd, buf + have, size - have);
		uint64_t stamp;

		if (n <= 0)
			bench_die("direct: read: %s", n < 0 ? strerror(errno) : "end of stream");
		have += (size_t)n;
		if (have < size)
			continue;
		memcpy(&stamp, buf + size - 9, sizeof(stamp));
		bench_sample(s, stamp);
		have = 0;
	}
	printf("{\"samples\": %llu}\n", (unsigned long long)atomic_load(&s->n_samples));
	return 0;
}

int main(int argc, char **argv)
{
	const char *path = bench_arg(argc, argv, "shared");
	struct bench_shared *s;

	if (path == NULL)
		bench_die("usage: bench_relay --shared=FILE [--direct] [--cpu=N] [--warmup-ms=N] [--ms=N]");
	bench_pin((int)bench_arg_int(argc, argv, "cpu", 0));
	s = bench_shared_map(path);
	return bench_arg(argc, argv, "direct") != NULL ? run_direct(s, argc, argv) : run_relay(s, argc, argv);
}
