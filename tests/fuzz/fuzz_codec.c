/* SPDX-License-Identifier: Apache-2.0 */
/* Input: API key, version (from the least of the table on), 0 request or 1 response, body. What decodes must encode,
 * and what was encoded must decode to the same bytes again. */
#include "fuzz.h"

#include "base/mem.h"
#include "wire/codec_impl.h"

enum { ARENA_LIMIT = 16 << 20, HEAD = 3 };

/* The body of a frame that holds msg. */
static const uint8_t *encode(const struct api_desc *api, int16_t version, bool request, const void *msg,
			     struct arena *arena, size_t *len)
{
	const struct msg_desc *desc = request ? api->request : api->response;
	struct writer w = { 0 };
	struct encoded e;
	uint8_t *frame;
	size_t at = 0;

	CHECK((request ? request_encode(api, version, 1, "", msg, arena, &e)
		       : response_encode(api, version, 1, msg, arena, &e)) == RC_OK);
	write_msg(&w, desc, version, version >= api->flexible, msg);
	*len = w.len + w.spliced;
	frame = arena_alloc(arena, e.len);
	CHECK(frame != NULL && *len <= e.len);
	for (int i = 0; i < e.n_iov; i++) {
		memcpy(frame + at, e.iov[i].iov_base, e.iov[i].iov_len);
		at += e.iov[i].iov_len;
	}
	CHECK(at == e.len);
	return frame + e.len - *len;
}

static void *decode(const struct api_desc *api, int16_t version, bool request, struct reader *r, struct arena *arena)
{
	const struct msg_desc *desc = request ? api->request : api->response;
	void *msg = arena_alloc(arena, desc->size);

	return msg_decode(desc, version, version >= api->flexible, r, arena, msg) ? msg : NULL;
}

int LLVMFuzzerTestOneInput(const uint8_t *data, size_t size)
{
	const struct api_desc *api;
	struct arena arena, out;
	struct reader r, again;
	const uint8_t *a, *b;
	size_t a_len, b_len;
	char *text = NULL;
	int16_t version;
	bool request;
	void *msg;

	api = size >= HEAD ? api_find(data[0]) : NULL;
	if (api == NULL)
		return 0;
	version = (int16_t)(api->table_min + data[1] % (api->table_max - api->table_min + 1));
	request = (data[2] & 1) == 0;
	r = (struct reader){ .p = data + HEAD, .end = data + size };
	arena_init(&arena, ARENA_LIMIT);
	arena_init(&out, 0);
	msg = decode(api, version, request, &r, &arena);
	if (msg != NULL) {
		a = encode(api, version, request, msg, &out, &a_len);
		again = (struct reader){ .p = a, .end = a + a_len };
		msg_print(request ? api->request : api->response, version, msg, &text);
		msg = decode(api, version, request, &again, &out);
		CHECK(msg != NULL && again.p == again.end && again.unknown_tags == 0);
		b = encode(api, version, request, msg, &out, &b_len);
		CHECK(a_len == b_len && memcmp(a, b, a_len) == 0);
	}
	xfree(text);
	arena_fini(&arena);
	arena_fini(&out);
	return 0;
}
