/* SPDX-License-Identifier: Apache-2.0 */
#include "control/json_values.h"

#include "base/mem.h"

json_t *json_known(int64_t value)
{
	return value < 0 ? json_null() : json_integer(value);
}

json_t *json_text(const char *text)
{
	json_t *s;
	char *plain;

	if (text == NULL)
		return json_null();
	s = json_string(text);
	if (s != NULL)
		return s;
	plain = xstrdup(text);
	for (char *p = plain; *p != '\0'; p++)
		if ((unsigned char)*p >= 0x80)
			*p = '?';
	s = json_string(plain);
	xfree(plain);
	return s;
}
