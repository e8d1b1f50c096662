/* SPDX-License-Identifier: Apache-2.0 */
/* Apart from record.c, so that who packs nothing needs no library of a codec. */
#include "wire/batch_impl.h"

#include "base/crc32c.h"
#include "base/mem.h"

void batch_pack(struct bytes plain, enum codec codec, struct packer *packer, struct window *out)
{
	struct reader r = { .p = plain.data, .end = plain.data + plain.len };
	size_t head = out->end - out->at;
	struct batch_header b;
	uint8_t *p;

	CHECK(batch_next(&r, &b) == BATCH_OK && (b.attributes & BATCH_CODEC) == 0);
	window_room(out, BATCH_HEADER_LEN);
	out->end += BATCH_HEADER_LEN;
	packer_begin(packer, codec, out);
	packer_write(packer, plain.data + BATCH_HEADER_LEN, (size_t)plain.len - BATCH_HEADER_LEN);
	packer_end(packer);
	/* What stands in front may have moved. */
	p = out->data + out->at + head;
	b.attributes |= (int16_t)codec;
	b.size = (uint32_t)(out->end - out->at - head);
	batch_put_header(p, &b);
	b.crc = crc32c(0, p + BATCH_ATTRIBUTES, b.size - BATCH_ATTRIBUTES);
	batch_put_header(p, &b);
}
