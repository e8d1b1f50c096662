/* SPDX-License-Identifier: Apache-2.0 */
#include "image.h"

#include "base/clock.h"
#include "base/crc32c.h"
#include "base/mem.h"
#include "common.h"
#include "wire/batch.h"

#include <errno.h>
#include <string.h>
#include <sys/mman.h>
#include <unistd.h>

enum { CRC_AT = 17, ATTRIBUTES_AT = 21, RECORD_OVERHEAD = 9, TAIL_LEN = 2 };

uint8_t *put_be(uint8_t *p, uint64_t v, int n_bytes)
{
	for (int i = n_bytes - 1; i >= 0; i--, v >>= 8)
		p[i] = (uint8_t)v;
	return p + n_bytes;
}

uint8_t *put_varint(uint8_t *p, uint32_t v)
{
	for (; v >= 0x80; v >>= 7)
		*p++ = (uint8_t)(v | 0x80);
	*p++ = (uint8_t)v;
	return p;
}

/* ---- batches ---- */

/* Records of one size, the last one longer by `more`, so that the batch gets the size that was asked for. */
static struct bytes build(const struct image_opts *o, int32_t n, int32_t value_len, int32_t more, struct arena *arena)
{
	struct batch_record *records = arena_new(arena, struct batch_record, n);
	uint8_t *noise = arena_alloc(arena, (size_t)(value_len + more));

	for (int32_t i = 0; i < value_len + more; i++)
		noise[i] = (uint8_t)((uint32_t)i * 2654435761U >> 11);
	for (int32_t i = 0; i < n; i++) {
		records[i].key = (struct bytes){ NULL, -1 };
		records[i].value = (struct bytes){ noise, i == n - 1 ? value_len + more : value_len };
	}
	(void)o;
	return batch_build(&(struct batch_draft){
		.records = records, .n = n, .timestamp = clock_wall_ms(), .stamp = { .producer_id = -1,
		.producer_epoch = -1, .base_sequence = -1 },
	}, arena);
}

uint8_t *image_batch(const struct image_opts *o, uint32_t *len, int32_t *records)
{
	int32_t n = MAX(o->batch_bytes / o->record_bytes, 1);
	int32_t value_len = MAX((o->batch_bytes - BATCH_HEADER_LEN) / n - RECORD_OVERHEAD, 16), more = 0;
	struct arena arena;
	struct bytes b;
	uint8_t *out;

	arena_init(&arena, 0);
	b = build(o, n, value_len, 0, &arena);
	for (int try = 0; try < 4 && b.len != o->batch_bytes && more + o->batch_bytes - b.len >= 0; try++) {
		more += o->batch_bytes - b.len;
		b = build(o, n, value_len, more, &arena);
	}
	out = xmalloc((size_t)b.len);
	memcpy(out, b.data, (size_t)b.len);
	if (o->codec != 0) {
		out[ATTRIBUTES_AT + 1] |= (uint8_t)o->codec;
		put_be(out + CRC_AT, crc32c(0, out + ATTRIBUTES_AT, (size_t)b.len - ATTRIBUTES_AT), 4);
	}
	*len = (uint32_t)b.len;
	*records = n;
	arena_fini(&arena);
	return out;
}

/* ---- responses ---- */

uint32_t fetch_head_len(const struct image_answer *a)
{
	uint8_t varint[8];

	return 4 + 4 + 1 + 4 + 2 + 4 + 1 + (a->with_ids ? 16 : 1 + (uint32_t)strlen(a->topic)) +
	       (uint32_t)(put_varint(varint, (uint32_t)a->n + 1) - varint);
}

uint8_t *put_fetch_head(uint8_t *p, const struct image_answer *a, uint32_t frame_len)
{
	p = put_be(p, frame_len, 4);
	p = put_be(p, (uint32_t)a->correlation_id, 4);
	*p++ = 0;                       /* tags of the header */
	p = put_be(p, 0, 4);            /* throttle time */
	p = put_be(p, 0, 2);            /* error */
	p = put_be(p, (uint32_t)a->session_id, 4);
	if (a->n == 0) {
		*p++ = 1;               /* no topics */
		return p;
	}
	*p++ = 2;
	if (a->with_ids) {
		memcpy(p, a->topic_id, 16);
		p += 16;
	} else {
		p = put_varint(p, (uint32_t)strlen(a->topic) + 1);
		memcpy(p, a->topic, strlen(a->topic));
		p += strlen(a->topic);
	}
	return put_varint(p, (uint32_t)a->n + 1);
}

uint8_t *put_fetch_entry(uint8_t *p, const struct image_slot *s, int64_t high_watermark, uint32_t records_len)
{
	p = put_be(p, (uint32_t)s->partition, 4);
	p = put_be(p, 0, 2);            /* error */
	p = put_be(p, (uint64_t)high_watermark, 8);
	p = put_be(p, (uint64_t)high_watermark, 8);   /* last stable offset */
	p = put_be(p, 0, 8);            /* log start */
	*p++ = 0;                       /* no list of aborted transactions */
	p = put_be(p, UINT32_MAX, 4);   /* no preferred replica */
	return put_varint(p, records_len + 1);
}

void image_make(struct image *img, const struct image_opts *opts)
{
	const struct image_slot none = { 0, 0 };
	uint8_t scratch[64], *batch;
	size_t size;

	*img = (struct image){ .opts = *opts };
	batch = image_batch(opts, &img->batch_len, &img->batch_records);
	img->records_len = img->batch_len * (uint32_t)opts->batches;
	img->entry_len = (uint32_t)(put_fetch_entry(scratch, &none, 0, img->records_len) - scratch);
	img->slot_len = img->entry_len + img->records_len + 1;
	img->stride = IMAGE_HEAD_ROOM + (uint32_t)opts->slots * img->slot_len + TAIL_LEN;
	size = (size_t)img->stride * IMAGE_COPIES;
	img->fd = memfd_create("bench", MFD_CLOEXEC);
	if (img->fd < 0 || ftruncate(img->fd, (off_t)size) < 0)
		bench_die("memfd: %s", strerror(errno));
	img->map = mmap(NULL, size, PROT_READ | PROT_WRITE, MAP_SHARED, img->fd, 0);
	if (img->map == MAP_FAILED)
		bench_die("mmap: %s", strerror(errno));
	for (int c = 0; c < IMAGE_COPIES; c++)
		for (int s = 0; s < opts->slots; s++)
			for (int b = 0; b < opts->batches; b++)
				memcpy(img->map + (size_t)c * img->stride + IMAGE_HEAD_ROOM +
				       (size_t)s * img->slot_len + img->entry_len + (size_t)b * img->batch_len,
				       batch, img->batch_len);
	xfree(batch);
}

void image_free(struct image *img)
{
	if (img->map == NULL)
		return;
	munmap(img->map, (size_t)img->stride * IMAGE_COPIES);
	close(img->fd);
	img->map = NULL;
}

uint32_t image_response(struct image *img, const struct image_answer *a, const struct image_slot *slots, off_t *at)
{
	uint32_t head = fetch_head_len(a), len = head + (uint32_t)a->n * img->slot_len + TAIL_LEN;
	uint8_t *base = img->map + (size_t)img->next * img->stride + IMAGE_HEAD_ROOM;

	*at = (off_t)((size_t)img->next * img->stride + IMAGE_HEAD_ROOM - head);
	img->next = (img->next + 1) % IMAGE_COPIES;
	put_fetch_head(base - head, a, len - 4);
	for (int s = 0; s < a->n; s++) {
		uint8_t *p = base + (size_t)s * img->slot_len;
		int64_t offset = slots[s].offset;

		p = put_fetch_entry(p, &slots[s], a->high_watermark, img->records_len);
		for (int b = 0; b < img->opts.batches; b++, offset += img->batch_records, p += img->batch_len)
			put_be(p, (uint64_t)offset, 8);
		*p = 0;                 /* tags of the partition */
	}
	/* Behind the last slot in use: tags of the topic and of the body. Another answer overwrites them. */
	memset(base + (size_t)a->n * img->slot_len, 0, TAIL_LEN);
	return len;
}
