/* SPDX-License-Identifier: Apache-2.0 */
/* The codecs of record batches, both ways, streaming: memory follows what was really unpacked or packed, never what a
 * header claims. A packer or unpacker is made once and used for many batches, one at a time: making the contexts of
 * the libraries costs more than a small batch. No globals; an object belongs to one thread at a time. */
#pragma once

#include <stdbool.h>
#include <stddef.h>
#include <stdint.h>

enum codec { CODEC_NONE, CODEC_GZIP, CODEC_SNAPPY, CODEC_LZ4, CODEC_ZSTD, CODEC_LAST = CODEC_ZSTD };

/* "gzip"; "unknown" beyond the last. */
const char *codec_name(int codec);

/* Bytes that grow: data[at, end) is what stands there. Zeroed it is empty. */
struct window {
	uint8_t *data;
	size_t at, end, cap;
};

/* Makes room for n bytes behind end: moves what stands there to the front, and grows. */
void window_room(struct window *w, size_t n);
/* Empties it; gives its memory back when there is more than keep. */
void window_trim(struct window *w, size_t keep);

/* ---- unpacking ---- */

enum unpack_result {
	UNPACK_OK,              /* went on; perhaps without a new byte */
	UNPACK_END,             /* all was unpacked */
	UNPACK_BAD,             /* broken, cut off, or more behind its end */
	UNPACK_LARGE            /* a piece that must be in memory as a whole is larger than piece_max (snappy blocks) */
};

struct unpacker;

struct unpacker *unpacker_create(void);
void unpacker_destroy(struct unpacker *u);

struct unpack_opts {
	enum codec codec;       /* not CODEC_NONE */
	const uint8_t *data;    /* stays until the end of its use */
	size_t len;
	size_t piece_max;
	bool old_lz4;           /* of messages v0: clients wrote a wrong checksum in the lz4 frame's header, and brokers
	                         * and clients do not look at it (KAFKA-3160) */
};

void unpacker_begin(struct unpacker *u, const struct unpack_opts *opts);
/* Unpacks a piece behind w->end: about 64 KiB, with snappy one block. *work grows by the bytes that were read or
 * written, whichever are more. */
enum unpack_result unpacker_more(struct unpacker *u, struct window *w, size_t *work) __attribute__((warn_unused_result));

/* ---- packing ---- */

struct packer;

struct packer *packer_create(void);
void packer_destroy(struct packer *p);

/* Packed bytes go behind out->end until packer_end. gzip and zstd at their default level, snappy in xerial's framing
 * with blocks of 32 KiB, lz4 in frames with independent blocks of 64 KiB: what Java's producer writes. */
void packer_begin(struct packer *p, enum codec codec, struct window *out);
void packer_write(struct packer *p, const uint8_t *data, size_t len);
/* What out would hold at most if n more bytes were written and then packer_end called. */
size_t packer_most(const struct packer *p, size_t n);
void packer_end(struct packer *p);
