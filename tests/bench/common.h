/* SPDX-License-Identifier: Apache-2.0 */
/* What the programs of the benchmark share: a page of counters that the stub brokers write and whoever measures
 * reads, pinning, clocks, listening sockets. Nothing here is part of the product. */
#pragma once

#include <stdatomic.h>
#include <stdbool.h>
#include <stddef.h>
#include <stdint.h>

enum { BENCH_SAMPLES_MAX = 1 << 19, BENCH_IO_BYTES = 256 << 10 };

/* In a file that every program of a round maps. */
struct bench_shared {
	atomic_int stub_pid;            /* set last: the stub listens */
	uint16_t source_port, sink_port;
	uint8_t topic_id[16];           /* at both ends */
	uint32_t message_len;           /* of a stamped message in raw mode */
	atomic_ullong sink_bytes;       /* of batches (or raw bytes) that the destination took */
	atomic_ullong sink_batches, sink_requests;
	atomic_ullong source_bytes, source_fetches;
	atomic_ullong busy_ns;          /* of the stub: time in which it had something to do */
	atomic_ullong n_samples;
	uint32_t samples_ns[BENCH_SAMPLES_MAX];  /* of lag */
};

/* Maps (and for the first one makes) the file. Ends the program when it cannot. */
struct bench_shared *bench_shared_map(const char *path);
void bench_sample(struct bench_shared *shared, uint64_t stamp_ns);

_Noreturn void bench_die(const char *fmt, ...) __attribute__((format(printf, 1, 2)));
void bench_pin(int cpu);            /* -1: nowhere */
uint64_t bench_now_ns(void);        /* CLOCK_MONOTONIC */
uint64_t bench_cpu_ns(void);        /* of the whole process */
uint64_t bench_cpu_ns_of(int pid);
/* A listening socket on 127.0.0.1 with a congestion control that does not pace, where one can be had. */
int bench_listen(uint16_t *port);
int bench_connect(uint16_t port);
void bench_nodelay(int fd);
/* The value of --name=value or of --name in argv, NULL when it is not there. */
const char *bench_arg(int argc, char **argv, const char *name);
int64_t bench_arg_int(int argc, char **argv, const char *name, int64_t otherwise);
/* VmRSS and VmHWM of this process in KiB. */
void bench_memory(long *rss_kib, long *hwm_kib);
