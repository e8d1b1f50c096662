/* SPDX-License-Identifier: Apache-2.0 */
#include "control/start_spec.h"

#include <stdlib.h>
#include <string.h>
#include <strings.h>
#include <time.h>

/* Exactly n digits. */
static bool digits(const char **p, int n, int *value)
{
	*value = 0;
	for (int i = 0; i < n; i++) {
		if (**p < '0' || **p > '9')
			return false;
		*value = *value * 10 + (*(*p)++ - '0');
	}
	return true;
}

static bool sign(const char **p, char c)
{
	if (**p != c)
		return false;
	(*p)++;
	return true;
}

static bool date(const char **p, struct tm *tm)
{
	static const int lengths[] = { 31, 29, 31, 30, 31, 30, 31, 31, 30, 31, 30, 31 };
	bool leap;

	if (!digits(p, 4, &tm->tm_year) || !sign(p, '-') || !digits(p, 2, &tm->tm_mon) || !sign(p, '-') ||
	    !digits(p, 2, &tm->tm_mday) || tm->tm_year < 1970 || tm->tm_mon < 1 || tm->tm_mon > 12)
		return false;
	leap = tm->tm_year % 4 == 0 && (tm->tm_year % 100 != 0 || tm->tm_year % 400 == 0);
	if (tm->tm_mday < 1 || tm->tm_mday > lengths[tm->tm_mon - 1] || (tm->tm_mon == 2 && tm->tm_mday == 29 && !leap))
		return false;
	tm->tm_year -= 1900;
	tm->tm_mon--;
	return true;
}

/* Up to nine digits behind the point; what is below a millisecond is left out. */
static bool fraction(const char **p, int *ms)
{
	int n = 0;

	if (!sign(p, '.') && !sign(p, ','))
		return true;
	for (; **p >= '0' && **p <= '9'; n++, (*p)++)
		*ms += n < 3 ? (**p - '0') * (n == 0 ? 100 : n == 1 ? 10 : 1) : 0;
	return n >= 1 && n <= 9;
}

static bool time_of_day(const char **p, struct tm *tm, int *ms)
{
	if (!digits(p, 2, &tm->tm_hour) || !sign(p, ':') || !digits(p, 2, &tm->tm_min) || tm->tm_hour > 23 ||
	    tm->tm_min > 59)
		return false;
	if (!sign(p, ':'))
		return true;
	return digits(p, 2, &tm->tm_sec) && tm->tm_sec <= 59 && fraction(p, ms);
}

static bool zone(const char **p, int64_t *offset_s)
{
	int hours, minutes = 0, way = **p == '-' ? -1 : 1;

	if (**p == '\0' || sign(p, 'Z') || sign(p, 'z'))
		return true;
	if (!sign(p, '+') && !sign(p, '-'))
		return false;
	if (!digits(p, 2, &hours) || hours > 18)
		return false;
	sign(p, ':');
	if (**p != '\0' && (!digits(p, 2, &minutes) || minutes > 59))
		return false;
	*offset_s = way * (int64_t)(hours * 3600 + minutes * 60);
	return true;
}

bool start_spec_parse(const char *text, struct start_spec *spec)
{
	struct tm tm = { 0 };
	int64_t offset_s = 0;
	int ms = 0;

	*spec = (struct start_spec){ .kind = START_EARLIEST };
	if (strcasecmp(text, "earliest") == 0)
		return true;
	spec->kind = strcasecmp(text, "latest") == 0 ? START_LATEST : START_TIME;
	if (spec->kind == START_LATEST)
		return true;
	if (!date(&text, &tm))
		return false;
	if ((sign(&text, 'T') || sign(&text, 't') || sign(&text, ' ')) &&
	    (!time_of_day(&text, &tm, &ms) || !zone(&text, &offset_s)))
		return false;
	if (*text != '\0')
		return false;
	spec->time_ms = ((int64_t)timegm(&tm) - offset_s) * 1000 + ms;
	return true;
}
