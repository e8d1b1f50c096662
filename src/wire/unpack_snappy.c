/* SPDX-License-Identifier: Apache-2.0 */
/* Snappy comes in two framings. Java's (xerial): 16 bytes (a magic, two versions), then blocks, each with its packed
 * length in four bytes; a stream may have the 16 bytes again in its middle. librdkafka's: one bare block. A block says
 * how long it will be; it can say no more than the format allows to its packed length, and no more than piece_max. */
#include "wire/unpack_impl.h"

#include "base/mem.h"
#include "wire/codec_impl.h"

#include <snappy-c.h>

enum { XERIAL_HEADER = 16, EXPANSION_MAX = 22 };  /* a copy of three bytes makes 64 */

static bool xerial(const struct unpacker *u)
{
	static const uint8_t magic[] = { 0x82, 'S', 'N', 'A', 'P', 'P', 'Y', 0 };

	return u->end - u->p >= XERIAL_HEADER && memcmp(u->p, magic, sizeof(magic)) == 0;
}

void snappy_unpack_begin(struct unpacker *u)
{
	u->framed = xerial(u);
}

static enum unpack_result block(struct unpacker *u, struct window *w, size_t len)
{
	size_t unpacked;

	if (snappy_uncompressed_length((const char *)u->p, len, &unpacked) != SNAPPY_OK ||
	    unpacked > len * EXPANSION_MAX)
		return UNPACK_BAD;
	if (unpacked > u->piece_max)
		return UNPACK_LARGE;
	window_room(w, unpacked);
	if (snappy_uncompress((const char *)u->p, len, (char *)w->data + w->end, &unpacked) != SNAPPY_OK)
		return UNPACK_BAD;
	w->end += unpacked;
	u->p += len;
	return u->p == u->end ? UNPACK_END : UNPACK_OK;
}

enum unpack_result snappy_unpack_more(struct unpacker *u, struct window *w)
{
	uint32_t len;

	if (u->p == u->end)
		return UNPACK_END;
	if (!u->framed)
		return block(u, w, (size_t)(u->end - u->p));
	while (xerial(u))
		u->p += XERIAL_HEADER;
	if (u->p == u->end)
		return UNPACK_END;
	if (u->end - u->p < 4)
		return UNPACK_BAD;
	len = get32(u->p);
	if (len > (size_t)(u->end - u->p) - 4)
		return UNPACK_BAD;
	u->p += 4;
	return block(u, w, len);
}
