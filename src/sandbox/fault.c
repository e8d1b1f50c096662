/* SPDX-License-Identifier: Apache-2.0 */
#include "sandbox/fault.h"

#include "base/mem.h"
#include "wire/codec.h"
#include "wire/kerr.h"
#include "wire/msg/kerr_codes.h"

#include <errno.h>
#include <string.h>

enum { KERR_CODE_MAX = 200 };

static bool number(const char *text, long min, long max, long *value)
{
	char *end;

	errno = 0;
	*value = strtol(text, &end, 10);
	return *text != '\0' && *end == '\0' && errno == 0 && *value >= min && *value <= max;
}

static bool api_key_of(const char *name, int16_t *key)
{
	int n;
	const struct api_desc *const *apis = api_table(&n);

	for (int i = 0; i < n; i++)
		if (strcmp(apis[i]->name, name) == 0) {
			*key = apis[i]->key;
			return true;
		}
	return false;
}

static bool error_of(const char *word, struct fault *fault)
{
	long code;

	fault->kind = FAULT_ERROR;
	if (strcmp(word, "drop") == 0) {
		fault->kind = FAULT_DROP;
		return true;
	}
	if (strcmp(word, "drop-after") == 0) {
		fault->kind = FAULT_DROP_AFTER;
		return true;
	}
	if (strcmp(word, "NONE") == 0) {
		fault->kind = FAULT_DELAY;
		return true;
	}
	if (number(word, -1, KERR_CODE_MAX, &code)) {
		fault->code = (int16_t)code;
		return true;
	}
	for (int16_t i = -1; i <= KERR_CODE_MAX; i++)
		if (kerr_find(i)->code == i && strcmp(kerr_name(i), word) == 0) {
			fault->code = i;
			return true;
		}
	return false;
}

int fault_parse(const char *spec, struct fault *fault, struct err *err)
{
	char *copy = xstrdup(spec), *at = copy;
	char *parts[5];
	int n = 0, rc = RC_OK;
	long count = -1, delay = 0;

	*fault = (struct fault){ 0 };
	while (n < 5 && at != NULL)
		parts[n++] = strsep(&at, ":");
	if (n < 2 || n > 4)
		rc = err_set(err, RC_USAGE, "fault \"%s\" is not API:ERROR[:COUNT][:DELAY]", spec);
	else if (!api_key_of(parts[0], &fault->api_key))
		rc = err_set(err, RC_USAGE, "fault \"%s\": there is no API \"%s\"", spec, parts[0]);
	else if (!error_of(parts[1], fault))
		rc = err_set(err, RC_USAGE, "fault \"%s\": \"%s\" is no error code, NONE, drop or drop-after", spec,
			     parts[1]);
	else if (n > 2 && *parts[2] != '\0' && !number(parts[2], 1, INT32_MAX, &count))
		rc = err_set(err, RC_USAGE, "fault \"%s\": \"%s\" is no count", spec, parts[2]);
	else if (n > 3 && !number(parts[3], 0, INT32_MAX, &delay))
		rc = err_set(err, RC_USAGE, "fault \"%s\": \"%s\" is no delay in milliseconds", spec, parts[3]);
	fault->left = (int32_t)count;
	fault->delay_ms = (int32_t)delay;
	xfree(copy);
	return rc;
}

void faults_add(struct faults *faults, const struct fault *fault)
{
	faults->items = xrealloc(faults->items, (size_t)faults->n + 1, sizeof(*faults->items));
	faults->items[faults->n++] = *fault;
}

void faults_fini(struct faults *faults)
{
	xfree(faults->items);
}

bool faults_take(struct faults *faults, int16_t api_key, struct fault *fault)
{
	for (int i = 0; i < faults->n; i++) {
		struct fault *f = &faults->items[i];

		if (f->api_key != api_key || f->left == 0)
			continue;
		if (f->left > 0)
			f->left--;
		*fault = *f;
		return true;
	}
	return false;
}

bool fault_after_write(int16_t code)
{
	return code == KERR_REQUEST_TIMED_OUT || code == KERR_NOT_ENOUGH_REPLICAS_AFTER_APPEND;
}
