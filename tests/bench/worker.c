/* SPDX-License-Identifier: Apache-2.0 */
/* The worker under test: the product's data side by itself, without control log and group, between two clusters that
 * have one topic of one name and id. It copies for a while, or until so many bytes are through, and says what that
 * took.
 *
 *   bench_worker --shared=FILE [--cpu=0] [--partitions=N] [--warmup-ms=200] [--ms=1000] [--bytes=N] [--engine=auto]
 *                [--fetch-max=N] [--response-max=N] [--request-max=N] [--memory=N] [--log=warn]
 *                [--trust=FILE --tls-source=PORT --tls-sink=PORT]   TLS, by the front of bench_tls */
#include "common.h"

#include "base/clock.h"
#include "base/log.h"
#include "base/mem.h"
#include "mirror/mirror.h"

#include <stdio.h>
#include <string.h>
#include <time.h>

#define TOPIC "bench"
#define LINK "bench"
#define START_MS 15000

struct counts {
	uint64_t at_ns, cpu_ns, stub_cpu_ns, stub_busy_ns, bytes, batches, requests, fetches;
};

struct memory {
	long start, open, max, end, hwm;
};

static void nap_ms(long ms)
{
	struct timespec t = { ms / 1000, ms % 1000 * 1000000 };

	nanosleep(&t, NULL);
}

static struct counts count(struct bench_shared *s)
{
	int pid = atomic_load(&s->stub_pid);

	return (struct counts){
		.at_ns = bench_now_ns(), .cpu_ns = bench_cpu_ns(),
		.stub_cpu_ns = bench_cpu_ns_of(pid), .stub_busy_ns = atomic_load(&s->busy_ns),
		.bytes = atomic_load(&s->sink_bytes), .batches = atomic_load(&s->sink_batches),
		.requests = atomic_load(&s->sink_requests), .fetches = atomic_load(&s->source_fetches),
	};
}

static void sample_memory(struct memory *m)
{
	bench_memory(&m->end, &m->hwm);
	if (m->end > m->max)
		m->max = m->end;
}

static struct cluster_opts cluster_at(const char *side, const char *id, struct endpoint *at)
{
	struct cluster_opts o;

	cluster_opts_default(&o);
	o.side = side;
	o.cluster_id = id;
	o.bootstrap = at;
	o.n_bootstrap = 1;
	return o;
}

/* Metadata names the stub's own port; the map leads to that of the front. */
static void secure(struct cluster_opts *o, struct tls *tls, struct endpoint *stub, struct endpoint *front,
		   struct address_rule *rule)
{
	*rule = (struct address_rule){ .from = *stub, .to = *front };
	o->addresses = (struct address_map){ rule, 1 };
	o->tls = tls;
}

static struct tls *trusting(const char *trust)
{
	struct tls_settings settings = { .truststore_location = xstrdup(trust), .check_host = true };

	return tls_create(&settings);
}

static struct mirror *open_mirror(struct bench_shared *s, int argc, char **argv)
{
	char host[] = "127.0.0.1";
	struct endpoint source = { host, s->source_port }, sink = { host, s->sink_port };
	const char *engine = bench_arg(argc, argv, "engine");
	struct mirror_opts o = {
		.destination = cluster_at("destination", "bench-destination", &sink),
		.buffer_memory = (size_t)bench_arg_int(argc, argv, "memory", 48 << 20),
		.max_request_size = (size_t)bench_arg_int(argc, argv, "request-max", 1 << 20),
	};
	struct link_spec link = {
		.name = LINK, .source_cluster_id = "bench-source",
		.source = cluster_at("source", "bench-source", &source),
		.fetch_max_bytes = (int32_t)bench_arg_int(argc, argv, "fetch-max", 1 << 20),
		.fetch_response_max_bytes = (int32_t)bench_arg_int(argc, argv, "response-max", 10 << 20),
		.fetch_min_bytes = 1, .fetch_wait_max_ms = 500, .fetch_backoff_ms = 1000, .n_fetchers = 1,
		.availability_check_ms = 1000, .fill_limit = INT64_MAX,
	};
	const char *trust = bench_arg(argc, argv, "trust");
	struct endpoint fronts[2] = { { host, (uint16_t)bench_arg_int(argc, argv, "tls-source", 0) },
				      { host, (uint16_t)bench_arg_int(argc, argv, "tls-sink", 0) } };
	struct tls *tls = trust != NULL ? trusting(trust) : NULL;
	struct address_rule rules[2];
	struct uuid id;
	struct mirror *m;
	struct err err;

	if (tls != NULL) {
		secure(&link.source, tls, &source, &fronts[0], &rules[0]);
		secure(&o.destination, tls, &sink, &fronts[1], &rules[1]);
	}
	memcpy(id.b, s->topic_id, sizeof(id.b));
	if (engine != NULL && !loop_engine_parse(engine, &o.engine))
		bench_die("--engine=%s", engine);
	m = mirror_create(&o, &err);
	if (m == NULL)
		bench_die("worker: %s", err.text);
	mirror_set_lease(m, INT64_MAX);
	mirror_link_open(m, &link);
	for (int32_t p = 0; p < (int32_t)bench_arg_int(argc, argv, "partitions", 1); p++)
		mirror_lane_open(m, &(struct lane_spec){
			.key = { LINK, TOPIC, p }, .source_topic = TOPIC, .source_topic_id = id,
			.destination_topic_id = id, .adopted_end = -1, .stored_offset = -1, .stored_epoch = -1,
			.txn_filler_ids = { -1, -1 }, .seed_from = -1, .seed_to = -1, .emptied_end = -1,
		});
	tls_unref(tls);
	return m;
}

/* A lane that failed makes the run worthless. */
static void check_lanes(struct mirror *m)
{
	struct mirror_snapshot *snap = mirror_snapshot(m);

	for (int i = 0; i < snap->n_lanes; i++)
		if (snap->lanes[i].state == LANE_FAILED || snap->lanes[i].state == LANE_STOPPED)
			bench_die("worker: partition %d: %s %s", snap->lanes[i].partition,
				  lane_reason_name(snap->lanes[i].reason), snap->lanes[i].error);
	mirror_snapshot_free(snap);
}

static void wait_for_first(struct bench_shared *s, struct mirror *m, int partitions)
{
	uint64_t deadline = bench_now_ns() + START_MS * UINT64_C(1000000);

	while (atomic_load(&s->sink_batches) < (unsigned long long)partitions) {
		nap_ms(5);
		check_lanes(m);
		if (bench_now_ns() > deadline)
			bench_die("worker: nothing was copied within %d ms", START_MS);
	}
}

static struct counts run_bytes(struct bench_shared *s, struct memory *mem, uint64_t bytes)
{
	while (atomic_load(&s->sink_bytes) < bytes) {
		sample_memory(mem);
		nap_ms(20);
	}
	sample_memory(mem);
	return count(s);
}

static void print(const struct mirror *m, const struct counts *a, const struct counts *b, const struct memory *mem)
{
	printf("{\"engine\": \"%s\", \"seconds\": %.6f, \"cpu_s\": %.6f, \"bytes\": %llu, \"batches\": %llu, "
	       "\"requests\": %llu, \"fetches\": %llu, \"stub_cpu_s\": %.6f, \"stub_busy_s\": %.6f, "
	       "\"rss_start_kib\": %ld, \"rss_open_kib\": %ld, \"rss_max_kib\": %ld, \"rss_end_kib\": %ld, "
	       "\"hwm_kib\": %ld}\n",
	       mirror_engine_name(m), (double)(b->at_ns - a->at_ns) / 1e9, (double)(b->cpu_ns - a->cpu_ns) / 1e9,
	       (unsigned long long)(b->bytes - a->bytes), (unsigned long long)(b->batches - a->batches),
	       (unsigned long long)(b->requests - a->requests), (unsigned long long)(b->fetches - a->fetches),
	       (double)(b->stub_cpu_ns - a->stub_cpu_ns) / 1e9, (double)(b->stub_busy_ns - a->stub_busy_ns) / 1e9,
	       mem->start, mem->open, mem->max, mem->end, mem->hwm);
}

int main(int argc, char **argv)
{
	const char *path = bench_arg(argc, argv, "shared"), *level = bench_arg(argc, argv, "log");
	int64_t bytes = bench_arg_int(argc, argv, "bytes", 0);
	enum log_level log = LOG_WARN;
	struct memory mem = { .max = 0 };
	struct bench_shared *s;
	struct counts a, b;
	struct mirror *m;

	if (path == NULL)
		bench_die("usage: bench_worker --shared=FILE [options]; see the head of worker.c");
	if (level != NULL && !log_level_parse(level, &log))
		bench_die("--log=%s", level);
	log_setup(log, LOG_KV);
	bench_pin((int)bench_arg_int(argc, argv, "cpu", 0));
	s = bench_shared_map(path);
	bench_memory(&mem.start, &mem.hwm);
	m = open_mirror(s, argc, argv);
	wait_for_first(s, m, (int)bench_arg_int(argc, argv, "partitions", 1));
	bench_memory(&mem.open, &mem.hwm);
	nap_ms((long)bench_arg_int(argc, argv, "warmup-ms", 200));
	a = count(s);
	if (bytes > 0) {
		b = run_bytes(s, &mem, (uint64_t)bytes);
	} else {
		nap_ms((long)bench_arg_int(argc, argv, "ms", 1000));
		b = count(s);
		sample_memory(&mem);
	}
	check_lanes(m);
	print(m, &a, &b, &mem);
	mirror_destroy(m, 1000);
	return 0;
}
