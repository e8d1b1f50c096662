/* SPDX-License-Identifier: Apache-2.0 */
#include "mirror/fence.h"

#include "base/mem.h"

enum { PREVIOUS, CURRENT };

static int32_t distinction(const struct fence *fence)
{
	return (int32_t)(fence->claim % FENCE_OWNERS);
}

static int64_t block_of(const struct fence_seen *seen)
{
	int64_t k = seen->known ? MAX(seen->coordinator_epoch, 0) : 0;

	return (k + FENCE_STEP - 1) / FENCE_STEP * FENCE_STEP;
}

static int64_t claim_epoch(const struct fence *fence, const struct fence_id *id)
{
	int64_t e = id->seen.known ? id->seen.producer_epoch : -1;

	return e + 1 + distinction(fence);
}

/* Room for the claim, and for one marker behind it. */
static bool claimable(const struct fence *fence, const struct fence_id *id)
{
	return claim_epoch(fence, id) <= FENCE_EPOCH_MAX && block_of(&id->seen) + 2 * FENCE_STEP <= INT32_MAX;
}

static int32_t claim_coordinator_epoch(const struct fence *fence, const struct fence_id *id)
{
	return (int32_t)(block_of(&id->seen) + FENCE_STEP - 1 - distinction(fence));
}

void fence_open(struct fence *fence, const struct fence_opening *o)
{
	struct fence_id none = { .id = -1, .producer_epoch = -1 };

	*fence = (struct fence){
		.claim = o->claim, .ids = { none, none }, .at = CURRENT, .unproven = fence->unproven,
	};
	fence->ids[CURRENT].id = o->current_id;
	fence->ids[CURRENT].seen = o->current;
	if (o->previous == NULL)
		return;
	fence->ids[PREVIOUS].id = o->previous_id;
	fence->ids[PREVIOUS].seen = *o->previous;
	/* Somebody who used the new id has claimed the old one before. */
	if (!o->current.known && claimable(fence, &fence->ids[PREVIOUS]))
		fence->at = PREVIOUS;
}

int32_t fence_room(const struct fence *fence)
{
	const struct fence_id *id = &fence->ids[fence->at];

	if (!fence->claimed)
		return claimable(fence, id) && !fence_wants_claim(fence);
	return MAX((INT32_MAX - id->coordinator_epoch) / FENCE_STEP - 2, 0);
}

struct fence_marker fence_next(struct fence *fence)
{
	struct fence_id *id = &fence->ids[fence->at];
	int64_t block = block_of(&id->seen);

	CHECK(fence_room(fence) > 0);
	if (id->producer_epoch < 0) {
		id->producer_epoch = (int32_t)claim_epoch(fence, id);
		id->coordinator_epoch = claim_coordinator_epoch(fence, id);
		fence->unproven = (struct fence_marker){ id->id, (int16_t)id->producer_epoch, id->coordinator_epoch };
	} else if (id->coordinator_epoch < block + FENCE_STEP) {
		CHECK(fence->claimed);
		id->coordinator_epoch = (int32_t)(block + 2 * FENCE_STEP);
	} else {
		id->coordinator_epoch += FENCE_STEP;
	}
	return (struct fence_marker){ id->id, (int16_t)id->producer_epoch, id->coordinator_epoch };
}

void fence_proven(struct fence *fence)
{
	fence->unproven = (struct fence_marker){ 0 };
	fence->claimed = true;
	if (fence->at == CURRENT)
		return;
	fence->at = CURRENT;
	fence->claimed = false;
}

bool fence_wants_claim(const struct fence *fence)
{
	const struct fence_id *id = &fence->ids[fence->at];

	return !fence->claimed && id->producer_epoch < 0 && claimable(fence, id) && id->id == fence->unproven.id &&
	       claim_epoch(fence, id) == fence->unproven.producer_epoch &&
	       claim_coordinator_epoch(fence, id) == fence->unproven.coordinator_epoch;
}

bool fence_wants_rotation(const struct fence *fence)
{
	const struct fence_id *id = &fence->ids[CURRENT];
	int64_t epoch = id->producer_epoch >= 0 ? id->producer_epoch : claim_epoch(fence, id);

	return epoch >= FENCE_ROTATE_EPOCH ||
	       MAX((int64_t)id->coordinator_epoch, block_of(&id->seen)) >= FENCE_ROTATE_COORDINATOR;
}

int32_t fence_epoch_of(const struct fence *fence, int64_t id)
{
	for (int i = PREVIOUS; i <= CURRENT; i++)
		if (fence->ids[i].id == id)
			return fence->ids[i].producer_epoch;
	return -1;
}
