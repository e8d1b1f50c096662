/* SPDX-License-Identifier: Apache-2.0 */
#include "sandbox/segment.h"

#include "base/mem.h"

void segment_append(struct segment *s, const struct topic_config *conf, int64_t base_offset, size_t bytes,
		    int64_t max_timestamp)
{
	bool full = s->bytes + bytes > (size_t)conf->numbers[SETTING_SEGMENT_BYTES];
	bool old = s->first_timestamp >= 0 &&
		   max_timestamp - s->first_timestamp > conf->numbers[SETTING_SEGMENT_MS];

	if (s->bytes > 0 && (full || old)) {
		s->base = base_offset;
		s->bytes = 0;
	}
	if (s->bytes == 0)
		s->first_timestamp = max_timestamp;
	s->bytes += bytes;
}

void segment_cut(struct segment *s, int64_t end)
{
	s->base = MIN(s->base, end);
}
