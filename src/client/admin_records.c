/* SPDX-License-Identifier: Apache-2.0 */
/* DeleteRecords, sequentially: one request to each leader. */
#include "client/admin_priv.h"

#include "wire/msg/delete_records.h"

#include <stdlib.h>
#include <string.h>

enum { ANSWERED_NONE = INT16_MAX, TIMEOUT_MS = 10000 };

static int by_leader(const void *a, const void *b)
{
	const struct admin_deletion *x = *(struct admin_deletion *const *)a, *y = *(struct admin_deletion *const *)b;

	return x->leader != y->leader ? (x->leader > y->leader) - (x->leader < y->leader) : strcmp(x->topic, y->topic);
}

static void build(struct call *call, struct admin_deletion *const *items, int n)
{
	struct delete_records_request *req = call_req(call, delete_records);

	req->timeout_ms = TIMEOUT_MS;
	req->topics.items = arena_new(&call->arena, struct delete_records_topic, n);
	req->topics.n = 0;
	for (int i = 0; i < n; i++) {
		struct delete_records_topic *t = &req->topics.items[req->topics.n > 0 ? req->topics.n - 1 : 0];

		if (i == 0 || strcmp(items[i]->topic, items[i - 1]->topic) != 0) {
			t = &req->topics.items[req->topics.n++];
			t->name = str_of(items[i]->topic);
			t->partitions.items = arena_new(&call->arena, struct delete_records_partition, n - i);
		}
		t->partitions.items[t->partitions.n++] = (struct delete_records_partition){
			.partition_index = items[i]->partition, .offset = items[i]->offset,
		};
	}
}

static void take(struct call *call, struct admin_deletion *const *items, int n)
{
	const struct delete_records_response *res = call_res(call, delete_records);

	for (int32_t t = 0; t < res->topics.n; t++)
		for (int32_t k = 0; k < res->topics.items[t].partitions.n; k++) {
			const struct deleted_records_partition *p = &res->topics.items[t].partitions.items[k];

			for (int i = 0; i < n; i++)
				if (items[i]->partition == p->partition_index &&
				    str_is(res->topics.items[t].name, items[i]->topic)) {
					items[i]->error = p->error_code;
					items[i]->log_start = p->error_code == 0 ? p->low_watermark : -1;
				}
		}
}

static bool all_leaders(struct cluster *cluster, struct admin_deletion *items, int n)
{
	int32_t leader_epoch;
	bool all = true;

	for (int i = 0; i < n; i++)
		if (!cluster_leader(cluster, items[i].topic, items[i].partition, &items[i].leader, &leader_epoch)) {
			items[i].leader = -1;
			all = false;
		}
	return all;
}

static int ask(const struct admin_op *op, struct admin_deletion *const *items, int n, struct err *err)
{
	struct call call = { 0 };
	int rc;

	call_init(&call, &delete_records_api, NULL, NULL);
	build(&call, items, n);
	rc = admin_call(op, items[0]->leader, &call, err);
	if (rc == RC_OK)
		take(&call, items, n);
	call_fini(&call);
	return rc;
}

int admin_delete_records(struct cluster *cluster, struct admin_deletion *items, int n, int64_t deadline_ns,
			 struct err *err)
{
	struct admin_op op = { .cluster = cluster, .deadline_ns = deadline_ns, .verb = "delete records of" };
	struct admin_deletion **order = xcalloc((size_t)n, sizeof(struct admin_deletion *));
	int rc = RC_OK, asked = 0;

	for (int i = 0; i < n; i++) {
		items[i].error = ANSWERED_NONE;
		items[i].log_start = -1;
		cluster_track(cluster, items[i].topic);
	}
	if (!all_leaders(cluster, items, n) && admin_refresh(&op, err) != RC_OK)
		rc = err->rc;
	all_leaders(cluster, items, n);
	for (int i = 0; i < n; i++)
		if (items[i].leader >= 0)
			order[asked++] = &items[i];
	qsort(order, (size_t)asked, sizeof(struct admin_deletion *), by_leader);
	for (int i = 0, k; i < asked; i = k) {
		for (k = i; k < asked && order[k]->leader == order[i]->leader; k++)
			;
		if (ask(&op, order + i, k - i, err) != RC_OK)
			rc = err->rc;
	}
	for (int i = 0; i < n; i++)
		cluster_untrack(cluster, items[i].topic);
	xfree(order);
	return rc;
}
