/* SPDX-License-Identifier: Apache-2.0 */
#include "common.h"

#include <arpa/inet.h>
#include <errno.h>
#include <fcntl.h>
#include <netinet/tcp.h>
#include <sched.h>
#include <stdarg.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/mman.h>
#include <time.h>
#include <unistd.h>

void bench_die(const char *fmt, ...)
{
	va_list ap;

	va_start(ap, fmt);
	vfprintf(stderr, fmt, ap);
	va_end(ap);
	fputc('\n', stderr);
	exit(1);
}

struct bench_shared *bench_shared_map(const char *path)
{
	int fd = open(path, O_RDWR | O_CREAT | O_CLOEXEC, 0600);
	void *p = MAP_FAILED;

	if (fd >= 0 && ftruncate(fd, sizeof(struct bench_shared)) == 0)
		p = mmap(NULL, sizeof(struct bench_shared), PROT_READ | PROT_WRITE, MAP_SHARED, fd, 0);
	if (p == MAP_FAILED)
		bench_die("%s: %s", path, strerror(errno));
	close(fd);
	return p;
}

void bench_sample(struct bench_shared *shared, uint64_t stamp_ns)
{
	uint64_t n = atomic_load_explicit(&shared->n_samples, memory_order_relaxed);

	if (n >= BENCH_SAMPLES_MAX)
		return;
	shared->samples_ns[n] = (uint32_t)(bench_now_ns() - stamp_ns);
	atomic_store_explicit(&shared->n_samples, n + 1, memory_order_release);
}

void bench_pin(int cpu)
{
	cpu_set_t set;

	if (cpu < 0)
		return;
	CPU_ZERO(&set);
	CPU_SET((size_t)cpu, &set);
	if (sched_setaffinity(0, sizeof(set), &set) < 0)
		bench_die("CPU %d: %s", cpu, strerror(errno));
}

static uint64_t read_clock(clockid_t id)
{
	struct timespec t;

	if (clock_gettime(id, &t) < 0)
		bench_die("clock_gettime: %s", strerror(errno));
	return (uint64_t)t.tv_sec * 1000000000U + (uint64_t)t.tv_nsec;
}

uint64_t bench_now_ns(void)
{
	return read_clock(CLOCK_MONOTONIC);
}

uint64_t bench_cpu_ns(void)
{
	return read_clock(CLOCK_PROCESS_CPUTIME_ID);
}

uint64_t bench_cpu_ns_of(int pid)
{
	clockid_t id;
	int rc = clock_getcpuclockid(pid, &id);

	if (rc != 0)
		bench_die("CPU clock of process %d: %s", pid, strerror(rc));
	return read_clock(id);
}

static struct sockaddr_in loopback(uint16_t port)
{
	return (struct sockaddr_in){
		.sin_family = AF_INET, .sin_port = htons(port), .sin_addr.s_addr = htonl(INADDR_LOOPBACK),
	};
}

/* Pacing (bbr) doubles the cost of loopback. Accepted sockets inherit this. */
static void set_congestion(int fd)
{
	if (setsockopt(fd, IPPROTO_TCP, TCP_CONGESTION, "cubic", 5) < 0)
		(void)setsockopt(fd, IPPROTO_TCP, TCP_CONGESTION, "reno", 4);
}

void bench_nodelay(int fd)
{
	int one = 1;

	(void)setsockopt(fd, IPPROTO_TCP, TCP_NODELAY, &one, sizeof(one));
}

int bench_listen(uint16_t *port)
{
	struct sockaddr_in a = loopback(0);
	socklen_t len = sizeof(a);
	int fd = socket(AF_INET, SOCK_STREAM | SOCK_CLOEXEC | SOCK_NONBLOCK, 0);

	if (fd < 0)
		bench_die("socket: %s", strerror(errno));
	set_congestion(fd);
	if (bind(fd, (struct sockaddr *)&a, sizeof(a)) < 0 || listen(fd, 64) < 0 ||
	    getsockname(fd, (struct sockaddr *)&a, &len) < 0)
		bench_die("listen: %s", strerror(errno));
	*port = ntohs(a.sin_port);
	return fd;
}

int bench_connect(uint16_t port)
{
	struct sockaddr_in a = loopback(port);
	int fd = socket(AF_INET, SOCK_STREAM | SOCK_CLOEXEC, 0);

	if (fd < 0)
		bench_die("socket: %s", strerror(errno));
	set_congestion(fd);
	if (connect(fd, (struct sockaddr *)&a, sizeof(a)) < 0)
		bench_die("connect to port %u: %s", port, strerror(errno));
	bench_nodelay(fd);
	return fd;
}

const char *bench_arg(int argc, char **argv, const char *name)
{
	size_t len = strlen(name);

	for (int i = 1; i < argc; i++) {
		if (strncmp(argv[i], "--", 2) != 0 || strncmp(argv[i] + 2, name, len) != 0)
			continue;
		if (argv[i][2 + len] == '\0')
			return "";
		if (argv[i][2 + len] == '=')
			return argv[i] + 3 + len;
	}
	return NULL;
}

int64_t bench_arg_int(int argc, char **argv, const char *name, int64_t otherwise)
{
	const char *text = bench_arg(argc, argv, name);
	char *end;
	long long v;

	if (text == NULL)
		return otherwise;
	v = strtoll(text, &end, 10);
	if (*text == '\0' || *end != '\0')
		bench_die("--%s: \"%s\" is no number", name, text);
	return v;
}

void bench_memory(long *rss_kib, long *hwm_kib)
{
	FILE *f = fopen("/proc/self/status", "re");
	char line[256];

	*rss_kib = *hwm_kib = -1;
	if (f == NULL)
		return;
	while (fgets(line, sizeof(line), f) != NULL) {
		if (strncmp(line, "VmRSS:", 6) == 0)
			*rss_kib = strtol(line + 6, NULL, 10);
		if (strncmp(line, "VmHWM:", 6) == 0)
			*hwm_kib = strtol(line + 6, NULL, 10);
	}
	fclose(f);
}
