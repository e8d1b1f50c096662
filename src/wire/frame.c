/* SPDX-License-Identifier: Apache-2.0 */
/* Frames: the length prefix, the request and response headers, and the body between them. */
#include "base/log.h"
#include "wire/codec_impl.h"

#include <errno.h>
#include <stddef.h>

/* Of a small request; what needs more grows. */
enum { HEAD_MIN = 256, SLICES_MIN = 8 };

struct frame {
	const struct api_desc *api;
	int16_t version;
	int32_t correlation_id;
	bool request;
	struct str client_id;
	const void *body;
};

static bool api_flexible(const struct api_desc *api, int16_t version)
{
	return version >= api->flexible;
}

/* A client that asks for the versions does not know yet which header the broker can write: always the old one. */
static bool response_has_tags(const struct api_desc *api, int16_t version)
{
	enum { API_VERSIONS = 18 };

	return api->key != API_VERSIONS && api_flexible(api, version);
}

static void write_frame(struct writer *w, const struct frame *f)
{
	bool flexible = api_flexible(f->api, f->version);

	write32(w, 0);  /* the length, later */
	if (f->request) {
		write16(w, (uint16_t)f->api->key);
		write16(w, (uint16_t)f->version);
	}
	write32(w, (uint32_t)f->correlation_id);
	if (f->request) {
		write16(w, (uint16_t)f->client_id.len);
		write_bytes(w, f->client_id.data, f->client_id.len > 0 ? (size_t)f->client_id.len : 0);
	}
	if (f->request ? flexible : response_has_tags(f->api, f->version))
		write_uvarint(w, 0);
	write_msg(w, f->request ? f->api->request : f->api->response, f->version, flexible, f->body);
	write_cut(w);
}

static int encode(const struct frame *f, struct arena *arena, struct encoded *out)
{
	struct writer w = { .arena = arena, .cap = HEAD_MIN, .cap_iov = SLICES_MIN };
	size_t len;

	*out = (struct encoded){ 0 };
	if (f->version < f->api->table_min || f->version > f->api->table_max)
		return RC_UNSUPPORTED;
	if (f->client_id.len > INT16_MAX)
		return -EMSGSIZE;
	w.head = arena_alloc_raw(arena, HEAD_MIN);
	w.iov = arena_alloc_raw(arena, SLICES_MIN * sizeof(*w.iov));
	if (w.head == NULL || w.iov == NULL)
		return -ENOMEM;
	write_frame(&w, f);
	len = w.len + w.spliced;
	if (w.rc == RC_OK && len > INT32_MAX)
		w.rc = -EMSGSIZE;
	if (w.rc != RC_OK)
		return w.rc;
	put32(w.head, (uint32_t)len - 4);
	writer_place(&w);
	*out = (struct encoded){ .iov = w.iov, .n_iov = w.n_iov, .len = len };
	return RC_OK;
}

int request_encode(const struct api_desc *api, int16_t version, int32_t correlation_id, const char *client_id,
		   const void *request, struct arena *arena, struct encoded *out)
{
	struct frame f = { .api = api, .version = version, .correlation_id = correlation_id, .request = true,
			   .client_id = str_of(client_id), .body = request };

	return encode(&f, arena, out);
}

int response_encode(const struct api_desc *api, int16_t version, int32_t correlation_id, const void *response,
		    struct arena *arena, struct encoded *out)
{
	struct frame f = { .api = api, .version = version, .correlation_id = correlation_id, .body = response };

	return encode(&f, arena, out);
}

bool response_correlation(const uint8_t *frame, size_t len, int32_t *correlation_id)
{
	if (len < 4)
		return false;
	*correlation_id = (int32_t)get32(frame);
	return true;
}

bool response_decode(const struct api_desc *api, int16_t version, const uint8_t *frame, size_t len,
		     struct arena *arena, int32_t *correlation_id, void *response)
{
	struct reader r = { .p = frame, .end = frame + len };

	if (version < api->table_min || version > api->table_max)
		return false;
	*correlation_id = (int32_t)read32(&r);
	if (response_has_tags(api, version))
		skip_tags(&r);
	if (!msg_decode(api->response, version, api_flexible(api, version), &r, arena, response))
		return false;
	if (r.p != r.end)
		log_debug("wire", "bytes remain behind a response", "api=%s version=%d bytes=%td", api->name, version,
			  r.end - r.p);
	return true;
}

bool request_header_decode(const uint8_t *frame, size_t len, struct request_header *h, struct reader *r)
{
	const struct api_desc *api;
	int16_t n;

	*r = (struct reader){ .p = frame, .end = frame + len };
	h->api_key = (int16_t)read16(r);
	h->api_version = (int16_t)read16(r);
	h->correlation_id = (int32_t)read32(r);
	n = (int16_t)read16(r);
	if (n < -1)
		r->failed = true;
	h->client_id = STR_NULL;
	if (n >= 0)
		h->client_id = (struct str){ (const char *)read_bytes(r, (size_t)n), n };
	api = r->failed ? NULL : api_find(h->api_key);
	if (api != NULL && api_flexible(api, h->api_version))
		skip_tags(r);
	return !r->failed;
}
