/* SPDX-License-Identifier: Apache-2.0 */
#include "stub.h"

#include "base/mem.h"
#include "wire/msg/api_versions.h"
#include "wire/msg/describe_producers.h"
#include "wire/msg/fetch.h"
#include "wire/msg/list_offsets.h"
#include "wire/msg/metadata.h"
#include "wire/msg/offset_for_leader_epoch.h"
#include "wire/msg/produce.h"

#include <string.h>

enum { EARLIEST = -2, NODE = 1 };

static void *request(struct peer *peer, const struct api_desc *api, int16_t version, struct reader *r)
{
	struct arena *arena = &peer->stub->arena;
	void *req = arena_alloc(arena, api->request->size);

	if (!msg_decode(api->request, version, version >= api->flexible, r, arena, req))
		bench_die("stub: a %s v%d request that cannot be read", api->name, version);
	return req;
}

static void *response(struct peer *peer, const struct api_desc *api)
{
	void *res = arena_alloc(&peer->stub->arena, api->response->size);

	msg_default(api->response, res);
	return res;
}

static void answer(struct peer *peer, const struct api_desc *api, const struct request_header *h, const void *res)
{
	struct encoded e;

	if (response_encode(api, h->api_version, h->correlation_id, res, &peer->stub->arena, &e) != RC_OK)
		bench_die("stub: a %s v%d response that cannot be written", api->name, h->api_version);
	for (int i = 0; i < e.n_iov; i++) {
		memcpy(peer_room(peer, e.iov[i].iov_len), e.iov[i].iov_base, e.iov[i].iov_len);
		peer->out_end += e.iov[i].iov_len;
	}
}

static const struct api_desc *const spoken[] = {
	&produce_api, &fetch_api, &list_offsets_api, &metadata_api, &api_versions_api, &offset_for_leader_epoch_api,
	&describe_producers_api,
};

static void api_versions(struct peer *peer, const struct request_header *h)
{
	struct api_versions_response *res = response(peer, &api_versions_api);

	res->api_keys.n = (int32_t)ARRAY_LEN(spoken);
	res->api_keys.items = arena_alloc(&peer->stub->arena, ARRAY_LEN(spoken) * sizeof(*res->api_keys.items));
	for (size_t i = 0; i < ARRAY_LEN(spoken); i++) {
		struct api_version_range *v = &res->api_keys.items[i];
		int16_t min = spoken[i]->min;

		/* The hand-written parts know the flexible versions only. */
		if (spoken[i] == &produce_api || spoken[i] == &fetch_api)
			min = MAX(min, spoken[i]->flexible);
		*v = (struct api_version_range){ .api_key = spoken[i]->key, .min_version = min,
						 .max_version = spoken[i]->max };
	}
	answer(peer, &api_versions_api, h, res);
}

static void fill_partitions(struct peer *peer, struct topic_metadata *t)
{
	struct arena *arena = &peer->stub->arena;
	int32_t *nodes = arena_new(arena, int32_t, 1);

	nodes[0] = NODE;
	t->partitions.n = peer->stub->opts.partitions;
	t->partitions.items = arena_alloc(arena, (size_t)t->partitions.n * sizeof(*t->partitions.items));
	for (int32_t p = 0; p < t->partitions.n; p++) {
		struct partition_metadata *m = &t->partitions.items[p];

		partition_metadata_init(m);
		m->partition_index = p;
		m->leader_id = NODE;
		m->leader_epoch = 0;
		m->replica_nodes.items = m->isr_nodes.items = nodes;
		m->replica_nodes.n = m->isr_nodes.n = 1;
	}
}

static void metadata(struct peer *peer, const struct request_header *h, struct reader *r)
{
	const struct metadata_request *req = request(peer, &metadata_api, h->api_version, r);
	struct metadata_response *res = response(peer, &metadata_api);
	struct arena *arena = &peer->stub->arena;
	struct broker_metadata *b = arena_alloc(arena, sizeof(*b));

	broker_metadata_init(b);
	b->node_id = NODE;
	b->host = str_of("127.0.0.1");
	b->port = peer->source ? peer->stub->shared->source_port : peer->stub->shared->sink_port;
	res->brokers.items = b;
	res->brokers.n = 1;
	res->cluster_id = str_of(peer->source ? "bench-source" : "bench-destination");
	res->controller_id = NODE;
	res->topics.n = req->topics.n > 0 ? 1 : 0;
	res->topics.items = arena_alloc(arena, sizeof(*res->topics.items));
	topic_metadata_init(&res->topics.items[0]);
	res->topics.items[0].name = str_of(STUB_TOPIC);
	memcpy(res->topics.items[0].topic_id.b, peer->stub->topic_id, 16);
	fill_partitions(peer, &res->topics.items[0]);
	answer(peer, &metadata_api, h, res);
}

static int64_t log_end(const struct peer *peer, int32_t partition)
{
	const struct stub *s = peer->stub;

	if (partition < 0 || partition >= s->opts.partitions)
		bench_die("stub: there is no partition %d", partition);
	if (!peer->source)
		return s->logs[partition].end;
	if (s->opts.rate == 0)
		return STUB_END;
	return (int64_t)((s->n_made + (uint64_t)(s->opts.partitions - 1 - partition)) / (uint64_t)s->opts.partitions);
}

static void list_offsets(struct peer *peer, const struct request_header *h, struct reader *r)
{
	const struct list_offsets_request *req = request(peer, &list_offsets_api, h->api_version, r);
	struct list_offsets_response *res = response(peer, &list_offsets_api);
	struct arena *arena = &peer->stub->arena;

	res->topics.n = req->topics.n;
	res->topics.items = arena_alloc(arena, (size_t)req->topics.n * sizeof(*res->topics.items));
	for (int32_t i = 0; i < req->topics.n; i++) {
		const struct list_offsets_topic *in = &req->topics.items[i];
		struct listed_offsets_topic *out = &res->topics.items[i];

		out->name = in->name;
		out->partitions.n = in->partitions.n;
		out->partitions.items = arena_alloc(arena, (size_t)in->partitions.n * sizeof(*out->partitions.items));
		for (int32_t k = 0; k < in->partitions.n; k++) {
			struct listed_offsets_partition *p = &out->partitions.items[k];
			int32_t index = in->partitions.items[k].partition_index;

			listed_offsets_partition_init(p);
			p->partition_index = index;
			p->leader_epoch = 0;
			p->offset = in->partitions.items[k].timestamp == EARLIEST ? 0 : log_end(peer, index);
		}
	}
	answer(peer, &list_offsets_api, h, res);
}

static void fill_producers(struct peer *peer, struct producers_partition *p)
{
	const struct stub_log *log = &peer->stub->logs[p->partition_index];

	if (peer->source || !log->known)
		return;
	p->active_producers.n = 1;
	p->active_producers.items = arena_alloc(&peer->stub->arena, sizeof(*p->active_producers.items));
	active_producer_init(&p->active_producers.items[0]);
	p->active_producers.items[0].producer_id = log->producer_id;
	p->active_producers.items[0].producer_epoch = log->producer_epoch;
	p->active_producers.items[0].last_sequence = log->next_sequence - 1;
}

static void describe_producers(struct peer *peer, const struct request_header *h, struct reader *r)
{
	const struct describe_producers_request *req = request(peer, &describe_producers_api, h->api_version, r);
	struct describe_producers_response *res = response(peer, &describe_producers_api);
	struct arena *arena = &peer->stub->arena;

	res->topics.n = req->topics.n;
	res->topics.items = arena_alloc(arena, (size_t)req->topics.n * sizeof(*res->topics.items));
	for (int32_t i = 0; i < req->topics.n; i++) {
		const struct describe_producers_topic *in = &req->topics.items[i];
		struct producers_topic *out = &res->topics.items[i];

		out->name = in->name;
		out->partitions.n = in->partition_indexes.n;
		out->partitions.items =
			arena_alloc(arena, (size_t)in->partition_indexes.n * sizeof(*out->partitions.items));
		for (int32_t k = 0; k < in->partition_indexes.n; k++) {
			producers_partition_init(&out->partitions.items[k]);
			out->partitions.items[k].partition_index = in->partition_indexes.items[k];
			fill_producers(peer, &out->partitions.items[k]);
		}
	}
	answer(peer, &describe_producers_api, h, res);
}

void admin_request(struct peer *peer, const struct request_header *h, struct reader *r)
{
	if (h->api_key == API_VERSIONS_KEY)
		api_versions(peer, h);
	else if (h->api_key == METADATA_KEY)
		metadata(peer, h, r);
	else if (h->api_key == LIST_OFFSETS_KEY)
		list_offsets(peer, h, r);
	else if (h->api_key == DESCRIBE_PRODUCERS_KEY)
		describe_producers(peer, h, r);
	else
		bench_die("stub: API %d v%d was not expected at the %s", h->api_key, h->api_version,
			  peer->source ? "source" : "destination");
	arena_reset(&peer->stub->arena);
}
