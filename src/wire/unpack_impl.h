/* SPDX-License-Identifier: Apache-2.0 */
/* What the files of unpacking share. */
#pragma once

#include "wire/compress.h"

#include <lz4frame.h>
#include <zlib.h>
#include <zstd.h>

enum { UNPACK_PIECE = 64 << 10, LZ4_HEADER_MAX = LZ4F_HEADER_SIZE_MAX };

struct unpacker {
	enum codec codec;
	const uint8_t *p, *end;     /* what is not read yet */
	size_t piece_max;
	z_stream *gzip;
	ZSTD_DCtx *zstd;
	LZ4F_dctx *lz4;
	uint8_t head[LZ4_HEADER_MAX];  /* lz4: the frame's header with its checksum set right, to be read before p */
	uint8_t head_len, head_at;
	bool bad;                   /* already the header is broken */
	bool framed;                /* snappy: xerial's framing */
};

void snappy_unpack_begin(struct unpacker *u);
enum unpack_result snappy_unpack_more(struct unpacker *u, struct window *w);
void lz4_unpack_begin(struct unpacker *u, bool old);
enum unpack_result lz4_unpack_more(struct unpacker *u, struct window *w);
