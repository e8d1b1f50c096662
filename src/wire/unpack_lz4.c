/* SPDX-License-Identifier: Apache-2.0 */
/* One lz4 frame. In messages v0 the checksum of the frame's header was computed over too much, by every client, so a
 * right one is put in its place: the library writes the header that has the same settings. */
#include "wire/unpack_impl.h"

#include "base/mem.h"

#include <string.h>

enum {
	MAGIC_LEN = 4, FLG = 4, BD = 5, SIZE = 6,
	FLG_INDEPENDENT = 0x20, FLG_BLOCK_CHECKSUM = 0x10, FLG_SIZE = 0x08, FLG_CHECKSUM = 0x04, FLG_DICT = 0x01
};

static uint64_t little64(const uint8_t *p)
{
	uint64_t v = 0;

	for (int i = 7; i >= 0; i--)
		v = v << 8 | p[i];
	return v;
}

/* False when it is no header that the library could have written. */
static bool mend_header(struct unpacker *u)
{
	LZ4F_preferences_t prefs = { .frameInfo.frameType = LZ4F_frame };
	LZ4F_cctx *ctx;
	uint8_t flags;
	size_t len;

	if (u->end - u->p < SIZE + 1)
		return false;
	flags = u->p[FLG];
	len = SIZE + ((flags & FLG_SIZE) ? 8 : 0) + 1;
	if ((flags & FLG_DICT) || (size_t)(u->end - u->p) < len)
		return false;
	prefs.frameInfo.blockSizeID = (LZ4F_blockSizeID_t)(u->p[BD] >> 4 & 7);
	prefs.frameInfo.blockMode = (flags & FLG_INDEPENDENT) ? LZ4F_blockIndependent : LZ4F_blockLinked;
	prefs.frameInfo.blockChecksumFlag = (flags & FLG_BLOCK_CHECKSUM) ? LZ4F_blockChecksumEnabled : LZ4F_noBlockChecksum;
	prefs.frameInfo.contentChecksumFlag =
		(flags & FLG_CHECKSUM) ? LZ4F_contentChecksumEnabled : LZ4F_noContentChecksum;
	prefs.frameInfo.contentSize = (flags & FLG_SIZE) ? little64(u->p + SIZE) : 0;
	if (prefs.frameInfo.blockSizeID < LZ4F_max64KB)
		return false;
	CHECK(!LZ4F_isError(LZ4F_createCompressionContext(&ctx, LZ4F_VERSION)));
	u->head_len = (uint8_t)LZ4F_compressBegin(ctx, u->head, sizeof(u->head), &prefs);
	LZ4F_freeCompressionContext(ctx);
	if (u->head_len != len || memcmp(u->head, u->p, len - 1) != 0)
		return false;
	u->p += len;
	return true;
}

void lz4_unpack_begin(struct unpacker *u, bool old)
{
	if (u->lz4 == NULL)
		CHECK(!LZ4F_isError(LZ4F_createDecompressionContext(&u->lz4, LZ4F_VERSION)));
	LZ4F_resetDecompressionContext(u->lz4);
	u->head_len = u->head_at = 0;
	u->bad = old && !mend_header(u);
}

enum unpack_result lz4_unpack_more(struct unpacker *u, struct window *w)
{
	bool head = u->head_at < u->head_len;
	size_t in = head ? (size_t)(u->head_len - u->head_at) : MIN((size_t)(u->end - u->p), (size_t)UNPACK_PIECE);
	size_t out = UNPACK_PIECE, rc;

	if (u->bad)
		return UNPACK_BAD;
	rc = LZ4F_decompress(u->lz4, w->data + w->end, &out, head ? u->head + u->head_at : u->p, &in, NULL);
	if (LZ4F_isError(rc))
		return UNPACK_BAD;
	w->end += out;
	if (head)
		u->head_at += (uint8_t)in;
	else
		u->p += in;
	if (rc == 0)  /* the frame's end; Java ignores what follows, librdkafka does not: no client writes it */
		return u->p == u->end ? UNPACK_END : UNPACK_BAD;
	return in + out > 0 ? UNPACK_OK : UNPACK_BAD;
}
