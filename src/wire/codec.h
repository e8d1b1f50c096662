/* SPDX-License-Identifier: Apache-2.0 */
/* The one codec of all messages: it walks constant descriptor tables that kmsgc makes from protocol/NAME.kmsg.
 *
 * What kmsgc emits for an API "Fetch" (wire/msg/fetch.h):
 *   enum { FETCH_KEY = 1 };
 *   struct fetch_request { int32_t max_wait_ms; ...; struct { struct fetch_topic *items; int32_t n; } topics; ... };
 *   struct fetch_response { ... };
 *   extern const struct api_desc fetch_api;
 * and for each struct its descriptor and a function that sets every field to its default:
 *   extern const struct msg_desc fetch_topic_desc;
 *   static inline void fetch_topic_init(struct fetch_topic *m);
 * Names are Kafka's in snake case (MaxWaitMs -> max_wait_ms); struct labels likewise (FetchTopic -> struct
 * fetch_topic). Types: bool, int8_t ... int64_t, double, struct uuid, struct str (string), struct bytes (bytes),
 * struct records (records); an array is an anonymous struct { T *items; int32_t n; } with n -1 for null.
 *
 * Decoded strings, bytes and records point into the input; arrays live in the arena. Nothing is copied. */
#pragma once

#include "base/arena.h"
#include "base/rc.h"
#include "base/str.h"

#include <stdbool.h>
#include <stdint.h>

/* Records of a Produce or Fetch partition. Decoded: data and len. To encode: slices (iov, n_iov) and their total in
 * len; or data and len with n_iov 0. len -1 is null. */
struct records {
	const uint8_t *data;
	const struct iovec *iov;
	int32_t n_iov;
	int32_t len;
};

enum field_type {
	FIELD_BOOL, FIELD_INT8, FIELD_INT16, FIELD_UINT16, FIELD_INT32, FIELD_UINT32, FIELD_INT64, FIELD_FLOAT64,
	FIELD_UUID, FIELD_STRING, FIELD_BYTES, FIELD_RECORDS, FIELD_STRUCT
};

enum field_flag {
	FIELD_ARRAY = 1,
	FIELD_LOSSY = 2,    /* may vanish in versions that lack it */
	FIELD_SECRET = 4,   /* msg_print shows *** */
	FIELD_PLAIN = 8     /* never compact */
};

enum { FIELD_NO_NULL = 0x7fff, FIELD_NO_TAG = -1 };

struct field_desc {
	const char *name;           /* Kafka's spelling */
	uint16_t offset;            /* in the C struct */
	uint8_t type, flags;
	int16_t since, until;       /* versions that have it */
	int16_t null_since;         /* null is allowed from this version; FIELD_NO_NULL: never */
	int16_t tag;                /* FIELD_NO_TAG: an ordinary field */
	int64_t initial;            /* the default; -1 of a string, bytes, array means null */
	const struct msg_desc *sub; /* FIELD_STRUCT */
};

struct msg_desc {
	const char *name;
	uint16_t size;              /* of the C struct */
	uint16_t n_fields;
	const struct field_desc *fields;
};

enum api_route { ROUTE_ANY, ROUTE_LEADER, ROUTE_CONTROLLER, ROUTE_GROUP, ROUTE_TXN };

struct api_desc {
	const char *name;
	int16_t key, min, max;      /* versions that krmirror speaks */
	int16_t flexible;           /* first flexible version; 0x7fff: none */
	uint8_t route;
	const struct msg_desc *request, *response;
	int16_t table_min, table_max;  /* versions that the tables can encode and decode: krsandbox's range */
};

/* All APIs, in the order of their keys; *n is their number. */
const struct api_desc *const *api_table(int *n);
/* NULL when krmirror does not know the key. */
const struct api_desc *api_find(int16_t key);

/* Sets every field of the zeroed struct to its default. */
void msg_default(const struct msg_desc *desc, void *msg);

/* A cursor that stays failed: after the first bad read all further ones give 0 and `failed` is set. */
struct reader {
	const uint8_t *p, *end;
	bool failed;
	uint32_t unknown_tags;      /* skipped, counted */
};

/* Decodes a message into the zeroed struct at msg; false when the input breaks the protocol: a count or length
 * beyond what remains, null where none may be, bad varint, duplicate or unsorted tags, arena limit. Bytes that
 * remain in the reader are the caller's to judge. */
bool msg_decode(const struct msg_desc *desc, int16_t version, bool flexible, struct reader *r, struct arena *arena,
		void *msg) __attribute__((warn_unused_result));

/* Encodes into memory of the arena: the head bytes and spliced slices in the order of the wire. Records of 256 bytes
 * and more are spliced, not copied; their memory must stay as long as the iovecs are used. */
struct encoded {
	struct iovec *iov;
	int n_iov;
	size_t len;                 /* sum of the slices */
};

/* A full request frame: length prefix, request header (v1, or v2 with tags when the version is flexible), body. rc:
 * RC_OK, or RC_UNSUPPORTED when a field that is set does not exist in the version and is not lossy. */
int request_encode(const struct api_desc *api, int16_t version, int32_t correlation_id, const char *client_id,
		   const void *request, struct arena *arena, struct encoded *out) MUST_USE;
/* A full response frame, for the sandbox: length prefix, response header, body. */
int response_encode(const struct api_desc *api, int16_t version, int32_t correlation_id, const void *response,
		    struct arena *arena, struct encoded *out) MUST_USE;

/* Response frames without their length prefix: reads the header (ApiVersions always has v0) and the body. */
bool response_decode(const struct api_desc *api, int16_t version, const uint8_t *frame, size_t len,
		     struct arena *arena, int32_t *correlation_id, void *response)
	__attribute__((warn_unused_result));
/* The first four bytes of a response frame. False when it is shorter. */
bool response_correlation(const uint8_t *frame, size_t len, int32_t *correlation_id);

struct request_header {
	int16_t api_key, api_version;
	int32_t correlation_id;
	struct str client_id;
};
/* Request frames without their length prefix, for the sandbox: the header; *r is left at the body. False when the
 * header is broken; an unknown API key is no error (api_find gives NULL) and leaves *r behind the client id. */
bool request_header_decode(const uint8_t *frame, size_t len, struct request_header *h, struct reader *r)
	__attribute__((warn_unused_result));

/* Readable form, one field a line, for golden tests and traces. Grows *text with xrealloc; the caller frees it. */
void msg_print(const struct msg_desc *desc, int16_t version, const void *msg, char **text);
