/* SPDX-License-Identifier: Apache-2.0 */
/* Packing. Small writes are gathered in `stage`; whole pieces go to the library. The libraries cannot fail here: they
 * have the room that they ask for, and their memory is had or the program ends. */
#include "wire/compress.h"

#include "base/mem.h"

#include <lz4frame.h>
#include <snappy-c.h>
#include <string.h>
#include <zlib.h>
#include <zstd.h>

enum {
	STAGE = 64 << 10,
	SNAPPY_BLOCK = 32 << 10,
	/* What a library may still hold back: zstd a block of 128 KiB, zlib its window and 64 KiB of output, lz4 a block;
	 * and what stage holds. */
	HELD_MAX = 320 << 10
};

struct packer {
	enum codec codec;
	struct window *out;
	size_t begin;           /* where in out the packed bytes begin */
	size_t total;           /* bytes written */
	size_t piece, staged;
	uint8_t *stage;
	z_stream *gzip;
	LZ4F_cctx *lz4;
	ZSTD_CCtx *zstd;
};

static const LZ4F_preferences_t lz4_prefs = {
	.frameInfo = { .blockSizeID = LZ4F_max64KB, .blockMode = LZ4F_blockIndependent },
};

struct packer *packer_create(void)
{
	return xcalloc(1, sizeof(struct packer));
}

void packer_destroy(struct packer *p)
{
	if (p == NULL)
		return;
	if (p->gzip != NULL)
		deflateEnd(p->gzip);
	xfree(p->gzip);
	LZ4F_freeCompressionContext(p->lz4);
	ZSTD_freeCCtx(p->zstd);
	xfree(p->stage);
	xfree(p);
}

/* ---- gzip ---- */

static void gzip_begin(struct packer *p)
{
	if (p->gzip == NULL) {
		p->gzip = xcalloc(1, sizeof(*p->gzip));
		CHECK(deflateInit2(p->gzip, Z_DEFAULT_COMPRESSION, Z_DEFLATED, 15 + 16, 8, Z_DEFAULT_STRATEGY) == Z_OK);
	} else {
		CHECK(deflateReset(p->gzip) == Z_OK);
	}
}

static void gzip_piece(struct packer *p, const uint8_t *data, size_t len, int flush)
{
	z_stream *z = p->gzip;
	int rc;

	z->next_in = (z_const Bytef *)(uintptr_t)data;
	z->avail_in = (uInt)len;
	do {
		window_room(p->out, STAGE);
		z->next_out = p->out->data + p->out->end;
		z->avail_out = STAGE;
		rc = deflate(z, flush);
		CHECK(rc == Z_OK || rc == Z_STREAM_END || rc == Z_BUF_ERROR);
		p->out->end += STAGE - z->avail_out;
	} while (z->avail_out == 0);
	CHECK(z->avail_in == 0 && (flush != Z_FINISH || rc == Z_STREAM_END));
}

/* ---- snappy ---- */

static void snappy_begin(struct packer *p)
{
	static const uint8_t header[] = { 0x82, 'S', 'N', 'A', 'P', 'P', 'Y', 0, 0, 0, 0, 1, 0, 0, 0, 1 };

	window_room(p->out, sizeof(header));
	memcpy(p->out->data + p->out->end, header, sizeof(header));
	p->out->end += sizeof(header);
}

static void snappy_piece(struct packer *p, const uint8_t *data, size_t len)
{
	size_t most = snappy_max_compressed_length(len);
	uint8_t *at;

	window_room(p->out, 4 + most);
	at = p->out->data + p->out->end;
	CHECK(snappy_compress((const char *)data, len, (char *)at + 4, &most) == SNAPPY_OK);
	for (int i = 0; i < 4; i++)
		at[i] = (uint8_t)(most >> (24 - 8 * i));
	p->out->end += 4 + most;
}

/* ---- lz4 ---- */

static void lz4_took(struct packer *p, size_t n)
{
	CHECK(!LZ4F_isError(n));
	p->out->end += n;
}

static void lz4_begin(struct packer *p)
{
	if (p->lz4 == NULL)
		CHECK(!LZ4F_isError(LZ4F_createCompressionContext(&p->lz4, LZ4F_VERSION)));
	window_room(p->out, LZ4F_HEADER_SIZE_MAX);
	lz4_took(p, LZ4F_compressBegin(p->lz4, p->out->data + p->out->end, LZ4F_HEADER_SIZE_MAX, &lz4_prefs));
}

static void lz4_piece(struct packer *p, const uint8_t *data, size_t len)
{
	size_t most = LZ4F_compressBound(len, &lz4_prefs);

	window_room(p->out, most);
	lz4_took(p, LZ4F_compressUpdate(p->lz4, p->out->data + p->out->end, most, data, len, NULL));
}

static void lz4_end(struct packer *p)
{
	size_t most = LZ4F_compressBound(0, &lz4_prefs);

	window_room(p->out, most);
	lz4_took(p, LZ4F_compressEnd(p->lz4, p->out->data + p->out->end, most, NULL));
}

/* ---- zstd ---- */

static void zstd_begin(struct packer *p)
{
	if (p->zstd == NULL) {
		p->zstd = ZSTD_createCCtx();
		CHECK(p->zstd != NULL);
	}
	ZSTD_CCtx_reset(p->zstd, ZSTD_reset_session_only);
}

static void zstd_piece(struct packer *p, const uint8_t *data, size_t len, ZSTD_EndDirective how)
{
	ZSTD_inBuffer in = { data, len, 0 };
	size_t left;

	do {
		ZSTD_outBuffer out;

		window_room(p->out, STAGE);
		out = (ZSTD_outBuffer){ p->out->data + p->out->end, STAGE, 0 };
		left = ZSTD_compressStream2(p->zstd, &out, &in, how);
		CHECK(!ZSTD_isError(left));
		p->out->end += out.pos;
	} while (in.pos < in.size || (how == ZSTD_e_end && left > 0));
}

/* ---- the door ---- */

void packer_begin(struct packer *p, enum codec codec, struct window *out)
{
	p->codec = codec;
	p->out = out;
	p->begin = out->end;
	p->total = p->staged = 0;
	p->piece = codec == CODEC_SNAPPY ? SNAPPY_BLOCK : STAGE;
	if (codec != CODEC_NONE && p->stage == NULL)
		p->stage = xmalloc(STAGE);
	switch (codec) {
	case CODEC_GZIP: gzip_begin(p); break;
	case CODEC_SNAPPY: snappy_begin(p); break;
	case CODEC_LZ4: lz4_begin(p); break;
	case CODEC_ZSTD: zstd_begin(p); break;
	case CODEC_NONE:
	default: CHECK(codec == CODEC_NONE); break;
	}
}

static void piece(struct packer *p, const uint8_t *data, size_t len)
{
	switch (p->codec) {
	case CODEC_GZIP: gzip_piece(p, data, len, Z_NO_FLUSH); break;
	case CODEC_SNAPPY: snappy_piece(p, data, len); break;
	case CODEC_LZ4: lz4_piece(p, data, len); break;
	case CODEC_ZSTD: zstd_piece(p, data, len, ZSTD_e_continue); break;
	case CODEC_NONE:
	default: break;
	}
}

void packer_write(struct packer *p, const uint8_t *data, size_t len)
{
	p->total += len;
	if (p->codec == CODEC_NONE) {
		window_room(p->out, len);
		if (len > 0)
			memcpy(p->out->data + p->out->end, data, len);
		p->out->end += len;
		return;
	}
	while (len > 0) {
		size_t n = MIN(len, p->piece - p->staged);

		if (p->staged == 0 && n == p->piece) {
			piece(p, data, n);
		} else {
			memcpy(p->stage + p->staged, data, n);
			p->staged += n;
			if (p->staged == p->piece) {
				piece(p, p->stage, p->staged);
				p->staged = 0;
			}
		}
		data += n;
		len -= n;
	}
}

/* No codec makes n bytes more than an eighth larger, and a kilobyte. */
static size_t expanded(size_t n)
{
	return n + n / 8 + 1024;
}

size_t packer_most(const struct packer *p, size_t n)
{
	size_t all, rest;

	if (p->codec == CODEC_NONE)
		return p->out->end + n;
	all = p->begin + expanded(p->total + n);
	rest = p->out->end + expanded(HELD_MAX + n);
	return MIN(all, rest);
}

void packer_end(struct packer *p)
{
	if (p->staged > 0 && (p->codec == CODEC_SNAPPY || p->codec == CODEC_LZ4))
		piece(p, p->stage, p->staged);
	if (p->codec == CODEC_GZIP)
		gzip_piece(p, p->stage, p->staged, Z_FINISH);
	else if (p->codec == CODEC_LZ4)
		lz4_end(p);
	else if (p->codec == CODEC_ZSTD)
		zstd_piece(p, p->stage, p->staged, ZSTD_e_end);
	p->staged = 0;
}
