/* SPDX-License-Identifier: Apache-2.0 */
#include "base/str.h"

#include "base/mem.h"

#include <ctype.h>

bool str_item(const char **list, struct str *item)
{
	while (*list != NULL && **list != '\0') {
		const char *begin = *list, *end = begin + strcspn(begin, ",");

		*list = end + (*end == ',');
		while (begin < end && isspace((unsigned char)*begin))
			begin++;
		while (begin < end && isspace((unsigned char)end[-1]))
			end--;
		*item = (struct str){ begin, (int32_t)(end - begin) };
		if (begin < end)
			return true;
	}
	return false;
}

static const char alphabet[] = "ABCDEFGHIJKLMNOPQRSTUVWXYZabcdefghijklmnopqrstuvwxyz0123456789-_";

void uuid_text(const struct uuid *u, char text[UUID_TEXT_LEN + 1])
{
	unsigned acc = 0, bits = 0;
	size_t n = 0;

	for (size_t i = 0; i < sizeof(u->b); i++) {
		acc = acc << 8 | u->b[i];
		for (bits += 8; bits >= 6; bits -= 6)
			text[n++] = alphabet[acc >> (bits - 6) & 63];
	}
	text[n++] = alphabet[acc << (6 - bits) & 63];
	text[n] = '\0';
}

bool uuid_parse(const char *text, struct uuid *u)
{
	unsigned acc = 0, bits = 0;
	size_t n = 0;

	if (strlen(text) != UUID_TEXT_LEN)
		return false;
	for (size_t i = 0; i < UUID_TEXT_LEN; i++) {
		const char *p = strchr(alphabet, text[i]);

		if (p == NULL)
			return false;
		acc = acc << 6 | (unsigned)(p - alphabet);
		bits += 6;
		if (bits >= 8 && n < sizeof(u->b)) {
			bits -= 8;
			u->b[n++] = (uint8_t)(acc >> bits);
		}
	}
	return n == sizeof(u->b);
}

char *str_dup(struct str s)
{
	return s.len < 0 ? NULL : xstrndup(s.data, (size_t)s.len);
}
