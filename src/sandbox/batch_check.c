/* SPDX-License-Identifier: Apache-2.0 */
/* Behaviour of 4.x: a batch whose LogAppendTime bit is set is taken and the bit made the topic's; the offset deltas
 * of uncompressed records are not looked at. Compressed records are not unpacked: there the header is believed. */
#include "sandbox/batch_check.h"

#include "base/crc32c.h"
#include "base/mem.h"
#include "sandbox/bytes.h"
#include "wire/msg/kerr_codes.h"

enum { RECORD_OVERHEAD_V0 = 14 };

static int16_t refuse(struct batch_view *view, int16_t code, const char *why)
{
	view->why = why;
	return code;
}

/* The broker's iterator: 1 and the size of the batch at p, 0 at the end (also before a cut batch), -1 when broken. */
static int next_batch(const uint8_t *p, int64_t left, int64_t *size)
{
	if (left < BATCH_MAGIC + 1)
		return 0;
	*size = (int64_t)get_i32(p + BATCH_LENGTH) + BATCH_LENGTH_END;
	if (*size - BATCH_LENGTH_END < RECORD_OVERHEAD_V0 || p[BATCH_MAGIC] > 2)
		return -1;
	return *size > left ? 0 : 1;
}

int16_t batch_check_form(const struct records *records, int16_t version, struct batch_view *view)
{
	int64_t size, after;
	int found;

	*view = (struct batch_view){ .data = records->data };
	found = records->len > 0 ? next_batch(records->data, records->len, &size) : 0;
	if (found < 0)
		return refuse(view, KERR_CORRUPT_MESSAGE, "Record size or magic is not possible");
	if (found == 0)
		return refuse(view, KERR_INVALID_RECORD, "There must be one record batch per partition");
	if (records->data[BATCH_MAGIC] != 2)
		return refuse(view, KERR_INVALID_RECORD, "Only record batches with magic version 2 are allowed");
	view->len = (int32_t)size;
	if (version < 7 && size > BATCH_ATTRIBUTES + 1 &&
	    (records->data[BATCH_ATTRIBUTES + 1] & BATCH_CODEC) == CODEC_ZSTD)
		return refuse(view, KERR_UNSUPPORTED_COMPRESSION_TYPE, "zstd needs Produce version 7");
	found = next_batch(records->data + size, records->len - size, &after);
	if (found < 0)
		return refuse(view, KERR_CORRUPT_MESSAGE, "Record size or magic is not possible");
	if (found > 0)
		return refuse(view, KERR_INVALID_RECORD, "There must be exactly one record batch per partition");
	return KERR_NONE;
}

void batch_open_records(const uint8_t *batch, int32_t len, struct reader *r)
{
	*r = (struct reader){ .p = batch + BATCH_HEADER_LEN, .end = batch + len };
}

/* Client batches: the header against itself. */
static int16_t check_header(struct batch_view *view)
{
	const uint8_t *b = view->data;
	int64_t span = (int64_t)get_i32(b + BATCH_LAST_DELTA) + 1;

	if (span <= 0)
		return refuse(view, KERR_INVALID_RECORD, "Batch has an invalid offset range");
	if (get_i32(b + BATCH_COUNT) <= 0)
		return refuse(view, KERR_INVALID_RECORD, "Invalid reported count for record batch");
	if (get_i32(b + BATCH_COUNT) != span)
		return refuse(view, KERR_INVALID_RECORD,
			      "Inconsistent batch offset range and count of records");
	if (get_i16(b + BATCH_ATTRIBUTES) & BATCH_CONTROL)
		return refuse(view, KERR_INVALID_RECORD, "Clients are not allowed to write control records");
	if (get_i64(b + BATCH_PRODUCER_ID) > -1 && get_i32(b + BATCH_BASE_SEQUENCE) < 0)
		return refuse(view, KERR_INVALID_RECORD, "Invalid sequence number in a batch with a producer id");
	return KERR_NONE;
}

static bool timestamp_ok(int64_t timestamp, const struct topic_config *conf, int64_t wall_ms)
{
	int64_t before = conf->numbers[SETTING_TIMESTAMP_BEFORE_MAX_MS];
	int64_t after = conf->numbers[SETTING_TIMESTAMP_AFTER_MAX_MS];

	if (timestamp == -1 || topic_config_log_append_time(conf))
		return true;
	if (timestamp >= wall_ms)
		return timestamp - wall_ms <= after;
	return (uint64_t)wall_ms - (uint64_t)timestamp <= (uint64_t)before;
}

static int16_t check_plain(struct batch_view *view, const struct topic_config *conf, int64_t wall_ms)
{
	int64_t base = get_i64(view->data + BATCH_BASE_TIMESTAMP), timestamp;
	int32_t left = get_i32(view->data + BATCH_COUNT);
	bool keys = topic_config_compacts(conf);
	struct record rec;
	struct reader r;

	batch_open_records(view->data, view->len, &r);
	view->max_timestamp = -1;
	for (; left > 0 && record_next(&r, &rec) == BATCH_OK; left--) {
		if (keys && rec.key.len < 0)
			return refuse(view, KERR_INVALID_RECORD, "Compacted topic cannot accept message without key");
		timestamp = (int64_t)((uint64_t)base + (uint64_t)rec.timestamp_delta);
		if (!timestamp_ok(timestamp, conf, wall_ms))
			return refuse(view, KERR_INVALID_TIMESTAMP, "Timestamp of a message is out of range");
		view->max_timestamp = MAX(view->max_timestamp, timestamp);
	}
	if (left != 0 || r.p != r.end)
		return refuse(view, KERR_INVALID_RECORD, "Incorrect declared batch size or malformed record");
	return KERR_NONE;
}

static bool crc_ok(const struct batch_view *view)
{
	const uint8_t *from = view->data + BATCH_ATTRIBUTES;

	return (uint32_t)get_be(view->data + BATCH_CRC, 4) == crc32c(0, from, (size_t)(view->len - BATCH_ATTRIBUTES));
}

int16_t batch_check_records(struct batch_view *view, const struct topic_config *conf, int64_t wall_ms)
{
	const uint8_t *b = view->data;
	int16_t code;

	if (get_i64(b + BATCH_BASE_OFFSET) != 0)
		return refuse(view, KERR_INVALID_RECORD, "The baseOffset of the record batch should be 0");
	if (view->len > conf->numbers[SETTING_MAX_MESSAGE_BYTES])
		return refuse(view, KERR_MESSAGE_TOO_LARGE, "The record batch is larger than max.message.bytes");
	if (view->len < BATCH_HEADER_LEN || !crc_ok(view))
		return refuse(view, KERR_CORRUPT_MESSAGE, "Record is corrupt: its checksum does not match");
	code = check_header(view);
	if (code != KERR_NONE)
		return code;
	if ((get_i16(b + BATCH_ATTRIBUTES) & BATCH_CODEC) == 0) {
		code = check_plain(view, conf, wall_ms);
		if (code != KERR_NONE)
			return code;
	} else {
		view->max_timestamp = get_i64(b + BATCH_MAX_TIMESTAMP);
		if ((get_i16(b + BATCH_ATTRIBUTES) & BATCH_CODEC) > CODEC_ZSTD)
			return refuse(view, KERR_INVALID_RECORD, "Unknown compression type");
		if (!timestamp_ok(view->max_timestamp, conf, wall_ms))
			return refuse(view, KERR_INVALID_TIMESTAMP, "Timestamp of a message is out of range");
	}
	if (view->len > conf->numbers[SETTING_SEGMENT_BYTES])
		return refuse(view, KERR_RECORD_LIST_TOO_LARGE, "The record batch is larger than segment.bytes");
	return KERR_NONE;
}
