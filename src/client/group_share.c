/* SPDX-License-Identifier: Apache-2.0 */
#include "client/group_share.h"

#include "base/mem.h"

enum { SHARE_MAGIC = 'S', CARD_MAGIC = 'M', FORMAT_VERSION = 1, WORKERS_MAX = 10000 };

static int by_name(const void *a, const void *b)
{
	return strcmp(*(char *const *)a, *(char *const *)b);
}

static void share_sort(struct share *share)
{
	int kept = 0;

	if (share->n > 1)
		qsort(share->workers, (size_t)share->n, sizeof(*share->workers), by_name);
	for (int i = 0; i < share->n; i++) {
		if (kept > 0 && strcmp(share->workers[kept - 1], share->workers[i]) == 0)
			xfree(share->workers[i]);
		else
			share->workers[kept++] = share->workers[i];
	}
	share->n = kept;
}

void share_init(struct share *share, const struct str *workers, int n)
{
	share->workers = n > 0 ? xcalloc((size_t)n, sizeof(*share->workers)) : NULL;
	share->n = n;
	for (int i = 0; i < n; i++)
		share->workers[i] = xstrndup(workers[i].data != NULL ? workers[i].data : "",
					     (size_t)MAX(workers[i].len, 0));
	share_sort(share);
}

void share_copy(struct share *share, const struct share *from)
{
	share->workers = from->n > 0 ? xcalloc((size_t)from->n, sizeof(*share->workers)) : NULL;
	share->n = from->n;
	for (int i = 0; i < from->n; i++)
		share->workers[i] = xstrdup(from->workers[i]);
}

void share_fini(struct share *share)
{
	for (int i = 0; i < share->n; i++)
		xfree(share->workers[i]);
	xfree(share->workers);
	*share = (struct share){ 0 };
}

bool share_equal(const struct share *a, const struct share *b)
{
	if (a->n != b->n)
		return false;
	for (int i = 0; i < a->n; i++)
		if (strcmp(a->workers[i], b->workers[i]) != 0)
			return false;
	return true;
}

bool share_has(const struct share *share, const char *worker)
{
	for (int i = 0; i < share->n; i++)
		if (strcmp(share->workers[i], worker) == 0)
			return true;
	return false;
}

/*
 * Bytes of an assignment:  'S'  version  n(2)  { len(2) worker }*
 * Bytes of a card:         'M'  version  pid(4)  len(2) host  len(2) version
 * Numbers are big-endian. What follows is of a later minor form and is skipped.
 */
struct out {
	uint8_t *data;
	size_t len;
};

static void put(struct out *out, const void *data, size_t len)
{
	out->data = xrealloc(out->data, out->len + len + 1, 1);
	if (len > 0)
		memcpy(out->data + out->len, data, len);
	out->len += len;
}

static void put_u16(struct out *out, size_t value)
{
	uint8_t b[2] = { (uint8_t)(value >> 8), (uint8_t)value };

	put(out, b, sizeof(b));
}

static void put_text(struct out *out, const char *text)
{
	size_t len = MIN(strlen(text), (size_t)UINT16_MAX);

	put_u16(out, len);
	put(out, text, len);
}

struct in {
	const uint8_t *p, *end;
	bool failed;
};

static uint32_t get_uint(struct in *in, int n)
{
	uint32_t value = 0;

	if (in->failed || in->end - in->p < n) {
		in->failed = true;
		return 0;
	}
	while (n-- > 0)
		value = value << 8 | *in->p++;
	return value;
}

static struct str get_text(struct in *in)
{
	uint32_t len = get_uint(in, 2);
	struct str s = { (const char *)in->p, (int32_t)len };

	if (in->failed || in->end - in->p < (ptrdiff_t)len) {
		in->failed = true;
		return (struct str){ "", 0 };
	}
	in->p += len;
	return s;
}

static bool get_head(struct in *in, struct bytes bytes, uint8_t magic)
{
	if (bytes.data == NULL || bytes.len < 2)
		return false;
	*in = (struct in){ bytes.data, bytes.data + bytes.len, false };
	return get_uint(in, 1) == magic && get_uint(in, 1) == FORMAT_VERSION;
}

void share_encode(const struct share *share, uint8_t **data, int32_t *len)
{
	struct out out = { 0 };
	uint8_t head[2] = { SHARE_MAGIC, FORMAT_VERSION };

	CHECK(share->n <= WORKERS_MAX);
	put(&out, head, sizeof(head));
	put_u16(&out, (size_t)share->n);
	for (int i = 0; i < share->n; i++)
		put_text(&out, share->workers[i]);
	*data = out.data;
	*len = (int32_t)out.len;
}

bool share_decode(struct bytes bytes, struct share *share)
{
	struct in in;
	int n;

	*share = (struct share){ 0 };
	if (!get_head(&in, bytes, SHARE_MAGIC))
		return false;
	n = (int)get_uint(&in, 2);
	if (n > WORKERS_MAX || in.end - in.p < (ptrdiff_t)n * 2)
		return false;
	share->workers = n > 0 ? xcalloc((size_t)n, sizeof(*share->workers)) : NULL;
	for (int i = 0; i < n && !in.failed; i++) {
		struct str s = get_text(&in);

		share->workers[share->n++] = xstrndup(s.data, (size_t)s.len);
	}
	if (in.failed) {
		share_fini(share);
		return false;
	}
	share_sort(share);
	return true;
}

static uint64_t hash_text(uint64_t h, const char *text)
{
	for (; *text != '\0'; text++)
		h = (h ^ (uint8_t)*text) * UINT64_C(0x100000001b3);
	return (h ^ 0xff) * UINT64_C(0x100000001b3);   /* 0xff ends a name: it is in no UTF-8 text */
}

static uint64_t hash_number(uint64_t h, uint32_t value)
{
	for (int i = 0; i < 4; i++, value >>= 8)
		h = (h ^ (value & 0xff)) * UINT64_C(0x100000001b3);
	return h;
}

/* FNV-1a leaves near names near each other; this spreads them. */
static uint64_t hash_mix(uint64_t h)
{
	h = (h ^ (h >> 30)) * UINT64_C(0xbf58476d1ce4e5b9);
	h = (h ^ (h >> 27)) * UINT64_C(0x94d049bb133111eb);
	return h ^ (h >> 31);
}

static uint64_t hash_lane(uint64_t h, const char *link, const char *topic, int32_t partition)
{
	return hash_number(hash_text(hash_text(h, link), topic), (uint32_t)partition);
}

#define HASH_START UINT64_C(0xcbf29ce484222325)

const char *share_owner(const struct share *share, const char *link, const char *topic, int32_t partition)
{
	const char *owner = NULL;
	uint64_t best = 0;

	for (int i = 0; i < share->n; i++) {
		uint64_t h = hash_mix(hash_lane(hash_text(HASH_START, share->workers[i]), link, topic, partition));

		if (owner == NULL || h > best) {
			owner = share->workers[i];
			best = h;
		}
	}
	return owner;
}

bool share_owns(const struct share *share, const char *worker, const char *link, const char *topic,
		int32_t partition)
{
	const char *owner = share_owner(share, link, topic, partition);

	return owner != NULL && strcmp(owner, worker) == 0;
}

int share_loop(int n, const char *link, const char *topic, int32_t partition)
{
	CHECK(n > 0);
	return (int)(hash_mix(hash_lane(HASH_START, link, topic, partition)) % (uint64_t)n);
}

void member_card_encode(const struct member_card *card, uint8_t **data, int32_t *len)
{
	struct out out = { 0 };
	uint8_t head[2] = { CARD_MAGIC, FORMAT_VERSION };

	put(&out, head, sizeof(head));
	put_u16(&out, (uint32_t)card->pid >> 16);
	put_u16(&out, (uint32_t)card->pid & 0xffff);
	put_text(&out, card->host);
	put_text(&out, card->version);
	*data = out.data;
	*len = (int32_t)out.len;
}

bool member_card_decode(struct bytes bytes, struct member_card *card)
{
	struct in in;
	struct str host, version;

	*card = (struct member_card){ 0 };
	if (!get_head(&in, bytes, CARD_MAGIC))
		return false;
	card->pid = (int32_t)get_uint(&in, 4);
	host = get_text(&in);
	version = get_text(&in);
	if (in.failed || (size_t)host.len >= sizeof(card->host) || (size_t)version.len >= sizeof(card->version))
		return false;
	memcpy(card->host, host.data, (size_t)host.len);
	memcpy(card->version, version.data, (size_t)version.len);
	return true;
}
