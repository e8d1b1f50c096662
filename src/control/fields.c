/* SPDX-License-Identifier: Apache-2.0 */
#include "control/fields.h"

#include "base/mem.h"
#include "base/str.h"

#include <string.h>

static void *at(const struct field *field, void *object)
{
	return (char *)object + field->offset;
}

static const void *at_const(const struct field *field, const void *object)
{
	return (const char *)object + field->offset;
}

static void number_set(const struct field *field, void *object, int64_t value)
{
	void *p = at(field, object);

	if (field->kind == FIELD_I16)
		*(int16_t *)p = (int16_t)value;
	else if (field->kind == FIELD_I32)
		*(int32_t *)p = (int32_t)value;
	else
		*(int64_t *)p = value;
}

static int64_t number_get(const struct field *field, const void *object)
{
	const void *p = at_const(field, object);

	return field->kind == FIELD_I16 ? *(const int16_t *)p :
	       field->kind == FIELD_I32 ? *(const int32_t *)p : *(const int64_t *)p;
}

void fields_init(const struct fields *fields, void *object)
{
	for (int i = 0; i < fields->n; i++) {
		const struct field *field = &fields->rows[i];

		if (field->kind == FIELD_I16 || field->kind == FIELD_I32 || field->kind == FIELD_I64)
			number_set(field, object, field->initial);
	}
}

static bool number_decode(const struct field *field, void *object, const json_t *value)
{
	int64_t v = json_integer_value(value);
	int64_t limit = field->kind == FIELD_I16 ? INT16_MAX : field->kind == FIELD_I32 ? INT32_MAX : INT64_MAX;

	if (!json_is_integer(value) || v > limit || v < -1)
		return false;
	number_set(field, object, v);
	return true;
}

static bool enum_decode(const struct field *field, void *object, const json_t *value)
{
	const char *word = json_string_value(value);

	for (int i = 0; word != NULL && i < field->n_names; i++)
		if (strcmp(word, field->names[i]) == 0) {
			*(int *)at(field, object) = i;
			return true;
		}
	return false;
}

static bool one_decode(const struct field *field, void *object, json_t *value)
{
	switch (field->kind) {
	case FIELD_TEXT:
		if (!json_is_string(value))
			return false;
		*(char **)at(field, object) = xstrdup(json_string_value(value));
		return true;
	case FIELD_I16:
	case FIELD_I32:
	case FIELD_I64:
		return number_decode(field, object, value);
	case FIELD_FLAG:
		*(bool *)at(field, object) = json_is_true(value);
		return json_is_boolean(value);
	case FIELD_ID:
		return json_is_string(value) && uuid_parse(json_string_value(value), at(field, object));
	case FIELD_OBJECT:
		if (!json_is_object(value))
			return false;
		*(json_t **)at(field, object) = json_incref(value);
		return true;
	case FIELD_ENUM:
		return enum_decode(field, object, value);
	}
	return false;
}

int fields_decode(const struct fields *fields, void *object, json_t *value, struct err *err)
{
	fields_init(fields, object);
	for (int i = 0; i < fields->n; i++) {
		const struct field *field = &fields->rows[i];
		json_t *v = json_object_get(value, field->name);

		if (v == NULL || json_is_null(v)) {
			if (field->required)
				return err_set(err, RC_PROTO, "\"%s\" is missing", field->name);
			continue;
		}
		if (!one_decode(field, object, v))
			return err_set(err, RC_PROTO, "\"%s\" is not what it must be", field->name);
	}
	return RC_OK;
}

static json_t *one_encode(const struct field *field, const void *object)
{
	const void *p = at_const(field, object);
	char id[UUID_TEXT_LEN + 1];
	struct uuid uuid;

	switch (field->kind) {
	case FIELD_TEXT:
		return *(char *const *)p == NULL ? NULL : json_string(*(char *const *)p);
	case FIELD_I16:
	case FIELD_I32:
	case FIELD_I64:
		return number_get(field, object) == field->initial ? NULL : json_integer(number_get(field, object));
	case FIELD_FLAG:
		return json_boolean(*(const bool *)p);
	case FIELD_ID:
		memcpy(&uuid, p, sizeof(uuid));
		uuid_text(&uuid, id);
		return uuid_is_zero(&uuid) ? NULL : json_string(id);
	case FIELD_OBJECT:
		return *(json_t *const *)p == NULL ? NULL : json_incref(*(json_t *const *)p);
	case FIELD_ENUM:
		return json_string(field->names[*(const int *)p]);
	}
	return NULL;
}

void fields_encode(const struct fields *fields, const void *object, json_t *target)
{
	for (int i = 0; i < fields->n; i++) {
		json_t *v = one_encode(&fields->rows[i], object);

		if (v == NULL)
			json_object_del(target, fields->rows[i].name);
		else
			CHECK(json_object_set_new(target, fields->rows[i].name, v) == 0);
	}
}

void fields_fini(const struct fields *fields, void *object)
{
	for (int i = 0; i < fields->n; i++) {
		const struct field *field = &fields->rows[i];

		if (field->kind == FIELD_TEXT) {
			xfree(*(char **)at(field, object));
			*(char **)at(field, object) = NULL;
		} else if (field->kind == FIELD_OBJECT) {
			json_decref(*(json_t **)at(field, object));
			*(json_t **)at(field, object) = NULL;
		}
	}
}
