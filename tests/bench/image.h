/* SPDX-License-Identifier: Apache-2.0 */
/* Fetch responses that are made once and sent many times: in a memory file, one after the other, ready for
 * sendfile. Before a response goes out only its small numbers and the base offsets of its batches are patched. An
 * image belongs to one connection, which has at most one response under way; several copies are used in turn, so
 * that the bytes are not hotter in the cache than a broker's would be. */
#pragma once

#include <stdbool.h>
#include <stdint.h>
#include <sys/types.h>

enum { IMAGE_COPIES = 4, IMAGE_HEAD_ROOM = 128 };

struct image_opts {
	int slots;               /* partitions of a response */
	int batches;             /* of each */
	int batch_bytes;         /* as near to it as records allow */
	int record_bytes;        /* about */
	int codec;               /* 0: records; else they are noise that is marked as compressed */
};

struct image {
	int fd;
	uint8_t *map;
	struct image_opts opts;
	uint32_t batch_len;      /* what came out */
	int32_t batch_records;
	uint32_t records_len, entry_len, slot_len, stride;
	int next;
};

/* One batch: valid in every part, with base offset 0. *records: how many it holds. xfree it. */
uint8_t *image_batch(const struct image_opts *opts, uint32_t *len, int32_t *records);

void image_make(struct image *img, const struct image_opts *opts);
void image_free(struct image *img);

/* What a response says beside its records. */
struct image_answer {
	int32_t correlation_id, session_id;
	bool with_ids;
	const uint8_t *topic_id;
	const char *topic;
	int n;                   /* slots */
	int64_t high_watermark;
};
struct image_slot {
	int32_t partition;
	int64_t offset;
};
/* Patches the next copy. The response is [*at, *at + result) of the file. */
uint32_t image_response(struct image *img, const struct image_answer *a, const struct image_slot *slots, off_t *at);

/* Where the parts of a response are written. */
uint8_t *put_be(uint8_t *p, uint64_t v, int n_bytes);
uint8_t *put_varint(uint8_t *p, uint32_t v);
/* The head of a Fetch response v12 and later, with its length prefix: frame_len counts the bytes behind the prefix. */
uint8_t *put_fetch_head(uint8_t *p, const struct image_answer *a, uint32_t frame_len);
uint32_t fetch_head_len(const struct image_answer *a);
/* The head of one partition's entry, up to its records. */
uint8_t *put_fetch_entry(uint8_t *p, const struct image_slot *s, int64_t high_watermark, uint32_t records_len);
