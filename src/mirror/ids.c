/* SPDX-License-Identifier: Apache-2.0 */
/* The producer ids of a mirror partition: an on-disk format, pinned by test vectors (DESIGN 3 and 4). Brokers never
 * hand out ids from 2^62 up. */
#include "base/crypto.h"
#include "mirror/mirror.h"

enum { HASH_BITS = 61 };

/* The first 61 bits of SHA-256(link NUL topic NUL partition [NUL rotation]). */
static int64_t hash61(const char *link, const char *topic, int32_t partition, int32_t rotation)
{
	char suffix[32];
	size_t link_len = strlen(link) + 1, topic_len = strlen(topic) + 1, suffix_len;
	uint8_t *text, digest[SHA256_LEN];
	uint64_t h = 0;

	suffix_len = (size_t)snprintf(suffix, sizeof(suffix), "%d", partition);
	if (rotation >= 0) {
		suffix_len++;  /* the NUL separates */
		suffix_len += (size_t)snprintf(suffix + suffix_len, sizeof(suffix) - suffix_len, "%d", rotation);
	}
	text = xmalloc(link_len + topic_len + suffix_len);
	memcpy(text, link, link_len);
	memcpy(text + link_len, topic, topic_len);
	memcpy(text + link_len + topic_len, suffix, suffix_len);
	sha256(text, link_len + topic_len + suffix_len, digest);
	xfree(text);
	for (int i = 0; i < 8; i++)
		h = h << 8 | digest[i];
	return (int64_t)(h >> (64 - HASH_BITS));
}

int64_t mirror_data_id(const char *link, const char *topic, int32_t partition)
{
	return INT64_C(1) << 62 | hash61(link, topic, partition, -1);
}

int64_t mirror_filler_id(const char *link, const char *topic, int32_t partition, int32_t rotation)
{
	return INT64_C(1) << 62 | INT64_C(1) << 61 | hash61(link, topic, partition, rotation);
}
