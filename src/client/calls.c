/* SPDX-License-Identifier: Apache-2.0 */
#include "client/calls.h"

#include "base/clock.h"
#include "base/mem.h"

enum { CALLS_UNDER_WAY = 16 };

struct slot {
	struct call call;
	struct calls *calls;
	int i, connection;
	bool busy;
};

static void slot_done(struct call *call)
{
	struct slot *slot = container_of(call, struct slot, call);

	slot->busy = false;
}

/* What ended is read here and not in the callback: reading may take its time. */
static void slot_read(struct slot *slot)
{
	if (slot->calls == NULL)
		return;
	slot->calls->read(slot->calls, slot->i, &slot->call);
	call_reset(&slot->call);
	slot->calls = NULL;
}

static void slot_begin(struct slot *slot, struct calls *calls, int i)
{
	int32_t node;

	slot->i = i;
	slot->calls = calls;
	slot->busy = true;
	node = calls->build(calls, i, &slot->call);
	slot->call.done = slot_done;
	slot->call.deadline_ns = calls->deadline_ns;
	broker_call(cluster_broker_beside(calls->cluster, node, slot->connection), &slot->call);
}

int calls_run(struct calls *calls)
{
	int64_t now = clock_mono_ns(), last_ns = calls->deadline_ns - MAX(calls->deadline_ns - now, 0) / 4;
	struct slot *slots = xcalloc(CALLS_UNDER_WAY, sizeof(*slots));
	struct loop *loop = cluster_loop(calls->cluster);
	int begun = 0, busy, most = calls->most > 0 ? MIN(calls->most, (int)CALLS_UNDER_WAY) : (int)CALLS_UNDER_WAY;

	do {
		busy = 0;
		for (int i = 0; i < most; i++) {
			struct slot *slot = &slots[i];

			slot->connection = calls->beside > 0 ? i % calls->beside : 0;
			if (!slot->busy)
				slot_read(slot);
			if (!slot->busy && begun < calls->n && clock_mono_ns() < last_ns)
				slot_begin(slot, calls, begun++);
			busy += slot->busy;
		}
		if (busy > 0)
			loop_step(loop, INT64_MAX);
	} while (busy > 0);
	for (int i = 0; i < CALLS_UNDER_WAY; i++) {
		slot_read(&slots[i]);
		call_fini(&slots[i].call);
	}
	xfree(slots);
	return begun;
}
