/* SPDX-License-Identifier: Apache-2.0 */
#include "mirror/claims.h"

#include "base/mem.h"

void claims_fini(struct claims *claims)
{
	xfree(claims->items);
	*claims = (struct claims){ 0 };
}

static struct fence_marker *find(const struct claims *claims, int64_t id)
{
	for (int i = 0; i < claims->n; i++)
		if (claims->items[i].id == id)
			return &claims->items[i];
	return NULL;
}

void claims_leave(struct claims *claims, const struct fence_marker *claim)
{
	struct fence_marker *old = find(claims, claim->id);

	if (old == NULL) {
		claims->items = xrealloc(claims->items, (size_t)claims->n + 1, sizeof(*claims->items));
		old = &claims->items[claims->n++];
	}
	*old = *claim;
}

struct fence_marker claims_of(const struct claims *claims, int64_t id)
{
	const struct fence_marker *left = find(claims, id);

	return left != NULL ? *left : (struct fence_marker){ 0 };
}
