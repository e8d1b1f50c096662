/* SPDX-License-Identifier: Apache-2.0 */
/* Prints random messages of every API, version and direction for the drift check, which lets Kafka's own classes read
 * and write them: KEY VERSION request|response xHEX */
#include "test_wire.h"

#include <stdio.h>

static void print_body(const struct api_desc *api, int16_t version, bool request, void *arg)
{
	const struct msg_desc *desc = request ? api->request : api->response;
	struct arena arena;
	struct encoded e;
	uint8_t *frame;
	size_t head;
	void *msg;

	arena_init(&arena, 0);
	msg = arena_alloc(&arena, desc->size);
	random_msg(arg, desc, version, &arena, msg);
	if ((request ? request_encode(api, version, 1, "", msg, &arena, &e)
		     : response_encode(api, version, 1, msg, &arena, &e)) == RC_OK) {
		/* length, key, version, correlation id, empty client id; or length, correlation id; tags if any */
		head = request ? 14 : 8;
		head += version >= api->flexible && (request || api->key != 18);
		frame = joined(&e, &arena);
		printf("%d %d %s x", api->key, version, request ? "request" : "response");
		for (size_t i = head; i < e.len; i++)
			printf("%02x", frame[i]);
		printf("\n");
	}
	arena_fini(&arena);
}

int main(void)
{
	uint64_t seed = 42;

	for (int round = 0; round < 20; round++)
		each_message(print_body, &seed);
	return 0;
}
