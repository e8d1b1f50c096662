/* SPDX-License-Identifier: Apache-2.0 */
/* Nothing is guessed from a kernel's version: flags are tried, operations are probed, and the calls that a filter may
 * forbid one by one (setup, register, enter) are each made once. */
#include "net/uring_setup.h"

#include "base/mem.h"

#include <errno.h>
#include <fcntl.h>
#include <string.h>
#include <sys/resource.h>
#include <unistd.h>

/* Newer than liburing 2.3. */
#ifndef IORING_ENTER_NO_IOWAIT
#define IORING_ENTER_NO_IOWAIT (1U << 7)
#endif
#ifndef IORING_FEAT_NO_IOWAIT
#define IORING_FEAT_NO_IOWAIT (1U << 17)
#endif

/* Sizes to try, best first. The first needs less than the 64 KiB of locked memory that containers often allow. */
static const struct { unsigned sq, cq; } sizes[] = { { 256, 2048 }, { 64, 256 } };

static const unsigned flag_ladder[] = {
	IORING_SETUP_SINGLE_ISSUER | IORING_SETUP_DEFER_TASKRUN | IORING_SETUP_TASKRUN_FLAG,
	IORING_SETUP_COOP_TASKRUN | IORING_SETUP_TASKRUN_FLAG,
	0,
};

static const uint8_t ops_used[] = {
	IORING_OP_NOP, IORING_OP_CONNECT, IORING_OP_ACCEPT, IORING_OP_RECV,
	IORING_OP_SENDMSG, IORING_OP_READ, IORING_OP_ASYNC_CANCEL,
};

static const unsigned features_used = IORING_FEAT_NODROP | IORING_FEAT_EXT_ARG | IORING_FEAT_FAST_POLL;

/* Gives the queued entries to the kernel's side of the queue; returns how many it has not taken yet. */
static unsigned flush(struct io_uring_sq *sq)
{
	unsigned tail = *sq->ktail;

	for (; sq->sqe_head != sq->sqe_tail; sq->sqe_head++, tail++)
		sq->array[tail & sq->ring_mask] = sq->sqe_head & sq->ring_mask;
	io_uring_smp_store_release(sq->ktail, tail);
	return tail - io_uring_smp_load_acquire(sq->khead);
}

int uring_enter(struct io_uring *ring, unsigned wait_nr, unsigned flags, int64_t left_ns)
{
	struct __kernel_timespec ts = { .tv_sec = left_ns / 1000000000, .tv_nsec = left_ns % 1000000000 };
	struct io_uring_getevents_arg arg = { .ts = left_ns > 0 ? (uint64_t)(uintptr_t)&ts : 0 };
	/* liburing's prototype has the signal set of the older form of the call. */
	sigset_t *ext = (sigset_t *)(void *)&arg;

	return io_uring_enter2((unsigned)ring->ring_fd, flush(&ring->sq), wait_nr,
	                       flags | IORING_ENTER_GETEVENTS | IORING_ENTER_EXT_ARG, ext, sizeof(arg));
}

int uring_enable(struct io_uring *ring)
{
	/* liburing 2.3 declares io_uring_enable_rings but its shared library lacks it. */
	return io_uring_register((unsigned)ring->ring_fd, IORING_REGISTER_ENABLE_RINGS, NULL, 0);
}

static int read_number(const char *path, const char *key)
{
	char text[4096];
	const char *at = text;
	int fd = open(path, O_RDONLY | O_CLOEXEC);
	ssize_t n;

	if (fd < 0)
		return -1;
	n = read(fd, text, sizeof(text) - 1);
	close(fd);
	if (n <= 0)
		return -1;
	text[n] = '\0';
	if (key != NULL)
		at = strstr(text, key);
	return at != NULL ? (int)strtol(at + (key != NULL ? strlen(key) : 0), NULL, 10) : -1;
}

static size_t memory_of(unsigned sq, unsigned cq)
{
	size_t page = 4096;
	size_t entries = sq * sizeof(struct io_uring_sqe);
	size_t rings = cq * sizeof(struct io_uring_cqe) + sq * sizeof(unsigned) + 512;

	return ((entries + page - 1) & ~(page - 1)) + ((rings + page - 1) & ~(page - 1));
}

static int no_memory(struct err *err, const char *call)
{
	struct rlimit limit = { 0 };
	size_t last = ARRAY_LEN(sizes) - 1;

	getrlimit(RLIMIT_MEMLOCK, &limit);
	err_set(err, -ENOMEM, "%s: ENOMEM (locked memory: a ring needs %zu KiB, %zu KiB at the least, and "
	        "RLIMIT_MEMLOCK allows %llu KiB for all processes of this user)", call,
	        memory_of(sizes[0].sq, sizes[0].cq) >> 10, memory_of(sizes[last].sq, sizes[last].cq) >> 10,
	        (unsigned long long)limit.rlim_cur >> 10);
	return err_hint(err, "raise it: LimitMEMLOCK= in the systemd unit, --ulimit memlock= in docker, ulimit -l");
}

/* Several things answer alike, so all that are likely are named, with what can be seen of each. */
static int refused(struct err *err, const char *call, int error)
{
	const char *name = strerrorname_np(error);
	int seccomp = read_number("/proc/self/status", "\nSeccomp:");
	int disabled = read_number("/proc/sys/kernel/io_uring_disabled", NULL);
	char sysctl[64] = "no such setting";

	if (error == ENOMEM)
		return no_memory(err, call);
	if (disabled >= 0)
		snprintf(sysctl, sizeof(sysctl), "%d%s", disabled, disabled > 0 ? ", which forbids it" : "");
	err_set(err, -error, "%s: %s (%s; likely causes: a seccomp filter, as containers have (Seccomp: %d%s in "
	        "/proc/self/status); kernel.io_uring_disabled (%s); a kernel without it)",
	        call, name != NULL ? name : "?", strerror(error), seccomp, seccomp > 0 ? ", there is one" : "", sysctl);
	return err_hint(err, "allow io_uring_setup, io_uring_enter and io_uring_register: docker run "
	                "--security-opt seccomp=PROFILE, in Kubernetes seccompProfile, in systemd SystemCallFilter="
	                "@system-service; sysctl kernel.io_uring_disabled=0; or use the epoll engine");
}

static int lacks(struct err *err, const char *what, unsigned which)
{
	err_set(err, RC_UNSUPPORTED, "io_uring: this kernel lacks %s %u, which is used", what, which);
	return err_hint(err, "Linux 6.1 and later have it; or use the epoll engine");
}

static int setup(struct io_uring *ring, size_t size, unsigned extra, unsigned *flags)
{
	int res = -EINVAL;

	for (size_t i = 0; i < ARRAY_LEN(flag_ladder) && res == -EINVAL; i++) {
		struct io_uring_params params = {
			.flags = flag_ladder[i] | extra | IORING_SETUP_CQSIZE,
			.cq_entries = sizes[size].cq,
		};

		*flags = flag_ladder[i];
		res = io_uring_queue_init_params(sizes[size].sq, ring, &params);
	}
	return res;
}

static int probe(struct io_uring *ring, struct err *err)
{
	struct io_uring_probe *probe;
	int rc = RC_OK;

	if ((ring->features & features_used) != features_used)
		return lacks(err, "feature", features_used & ~ring->features);
	probe = io_uring_get_probe_ring(ring);
	if (probe == NULL)
		return refused(err, "io_uring_register", EPERM);
	for (size_t i = 0; i < sizeof(ops_used) && rc == RC_OK; i++)
		if (!io_uring_opcode_supported(probe, ops_used[i]))
			rc = lacks(err, "operation", ops_used[i]);
	io_uring_free_probe(probe);
	return rc;
}

/* The first enter must not be the one that finds out that it is forbidden. */
static int try_out(unsigned setup_flags, unsigned enter_flags, struct err *err)
{
	struct io_uring ring;
	struct io_uring_sqe *sqe;
	struct io_uring_cqe *cqe;
	int res = io_uring_queue_init(4, &ring, setup_flags);

	if (res < 0)
		return refused(err, "io_uring_setup", -res);
	sqe = io_uring_get_sqe(&ring);
	CHECK(sqe != NULL);
	io_uring_prep_nop(sqe);
	res = uring_enter(&ring, 1, enter_flags, 1000000000);
	if (res == 1 && io_uring_peek_cqe(&ring, &cqe) == 0)
		res = cqe->res;
	io_uring_queue_exit(&ring);
	return res == 0 ? RC_OK : refused(err, "io_uring_enter", res < 0 ? -res : EIO);
}

int uring_setup(struct io_uring *ring, unsigned *enter_flags, struct err *err)
{
	unsigned flags = 0;
	int res = -ENOMEM;
	int rc;

	for (size_t i = 0; i < ARRAY_LEN(sizes) && res == -ENOMEM; i++)
		res = setup(ring, i, IORING_SETUP_R_DISABLED, &flags);
	if (res < 0)
		return refused(err, "io_uring_setup", -res);
	*enter_flags = (ring->features & IORING_FEAT_NO_IOWAIT) != 0 ? IORING_ENTER_NO_IOWAIT : 0;
	rc = probe(ring, err);
	if (rc == RC_OK)
		rc = try_out(flags, *enter_flags, err);
	if (rc != RC_OK)
		io_uring_queue_exit(ring);
	return rc;
}
