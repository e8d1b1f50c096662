/* SPDX-License-Identifier: Apache-2.0 */
/* Unpacking, piece by piece. The libraries' contexts are made when a codec is met first and kept. Input is given in
 * slices too: data that unpacks to nothing for long must not hold a step up. */
#include "wire/compress.h"

#include "base/mem.h"
#include "wire/unpack_impl.h"

#include <string.h>
#include <zlib.h>
#include <zstd.h>

enum { ZSTD_WINDOW_LOG = 27 };  /* what decoders take unless told otherwise, and the most that level 22 uses */

const char *codec_name(int codec)
{
	static const char *const names[] = { "none", "gzip", "snappy", "lz4", "zstd" };

	return codec >= 0 && codec <= CODEC_LAST ? names[codec] : "unknown";
}

void window_room(struct window *w, size_t n)
{
	size_t have = w->end - w->at, cap = MAX(w->cap, (size_t)UNPACK_PIECE);

	if (w->cap - w->end >= n)
		return;
	if (w->at > 0) {
		memmove(w->data, w->data + w->at, have);
		w->at = 0;
		w->end = have;
	}
	while (cap - have < n)
		cap *= 2;
	if (cap != w->cap) {
		w->data = xrealloc(w->data, cap, 1);
		w->cap = cap;
	}
}

void window_trim(struct window *w, size_t keep)
{
	w->at = w->end = 0;
	if (w->cap > keep) {
		xfree(w->data);
		w->data = NULL;
		w->cap = 0;
	}
}

/* ---- gzip ---- */

static void gzip_begin(struct unpacker *u)
{
	if (u->gzip == NULL) {
		u->gzip = xcalloc(1, sizeof(*u->gzip));
		CHECK(inflateInit2(u->gzip, 15 + 16) == Z_OK);
	} else {
		CHECK(inflateReset(u->gzip) == Z_OK);
	}
}

static enum unpack_result gzip_more(struct unpacker *u, struct window *w)
{
	z_stream *z = u->gzip;
	size_t slice = MIN((size_t)(u->end - u->p), (size_t)UNPACK_PIECE);
	int rc;

	z->next_in = (z_const Bytef *)(uintptr_t)u->p;
	z->avail_in = (uInt)slice;
	z->next_out = w->data + w->end;
	z->avail_out = UNPACK_PIECE;
	rc = inflate(z, Z_NO_FLUSH);
	u->p += slice - z->avail_in;
	w->end += UNPACK_PIECE - z->avail_out;
	if (rc == Z_STREAM_END) {
		if (u->p == u->end)
			return UNPACK_END;
		return inflateReset(z) == Z_OK ? UNPACK_OK : UNPACK_BAD;  /* another member */
	}
	if (rc == Z_OK)
		return UNPACK_OK;
	return UNPACK_BAD;  /* Z_BUF_ERROR too: there was room, so the input ended too early */
}

/* ---- zstd ---- */

static void zstd_begin(struct unpacker *u)
{
	if (u->zstd == NULL) {
		u->zstd = ZSTD_createDCtx();
		CHECK(u->zstd != NULL);
		CHECK(!ZSTD_isError(ZSTD_DCtx_setParameter(u->zstd, ZSTD_d_windowLogMax, ZSTD_WINDOW_LOG)));
	}
	ZSTD_DCtx_reset(u->zstd, ZSTD_reset_session_only);
}

static enum unpack_result zstd_more(struct unpacker *u, struct window *w)
{
	ZSTD_inBuffer in = { u->p, MIN((size_t)(u->end - u->p), (size_t)UNPACK_PIECE), 0 };
	ZSTD_outBuffer out = { w->data + w->end, UNPACK_PIECE, 0 };
	size_t rc = ZSTD_decompressStream(u->zstd, &out, &in);

	if (ZSTD_isError(rc))
		return UNPACK_BAD;
	u->p += in.pos;
	w->end += out.pos;
	if (u->p < u->end)
		return in.pos + out.pos > 0 ? UNPACK_OK : UNPACK_BAD;
	if (rc == 0)
		return UNPACK_END;
	return out.pos == out.size ? UNPACK_OK : UNPACK_BAD;  /* full: there may be more inside */
}

/* ---- the door ---- */

struct unpacker *unpacker_create(void)
{
	return xcalloc(1, sizeof(struct unpacker));
}

void unpacker_destroy(struct unpacker *u)
{
	if (u == NULL)
		return;
	if (u->gzip != NULL)
		inflateEnd(u->gzip);
	xfree(u->gzip);
	ZSTD_freeDCtx(u->zstd);
	LZ4F_freeDecompressionContext(u->lz4);
	xfree(u);
}

void unpacker_begin(struct unpacker *u, const struct unpack_opts *opts)
{
	u->codec = opts->codec;
	u->p = opts->data;
	u->end = opts->data + opts->len;
	u->piece_max = opts->piece_max;
	switch (opts->codec) {
	case CODEC_GZIP: gzip_begin(u); break;
	case CODEC_SNAPPY: snappy_unpack_begin(u); break;
	case CODEC_LZ4: lz4_unpack_begin(u, opts->old_lz4); break;
	case CODEC_ZSTD: zstd_begin(u); break;
	case CODEC_NONE:
	default: check_failed(__FILE__, __LINE__, "no codec");
	}
}

static enum unpack_result more(struct unpacker *u, struct window *w)
{
	if (u->codec == CODEC_SNAPPY)
		return snappy_unpack_more(u, w);
	window_room(w, UNPACK_PIECE);
	if (u->codec == CODEC_GZIP)
		return gzip_more(u, w);
	return u->codec == CODEC_LZ4 ? lz4_unpack_more(u, w) : zstd_more(u, w);
}

enum unpack_result unpacker_more(struct unpacker *u, struct window *w, size_t *work)
{
	const uint8_t *p = u->p;
	size_t have = w->end - w->at, in, out;
	enum unpack_result result = more(u, w);

	in = (size_t)(u->p - p);
	out = w->end - w->at - have;
	*work += MAX(in, out);
	return result;
}
