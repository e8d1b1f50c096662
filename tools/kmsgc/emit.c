/* SPDX-License-Identifier: Apache-2.0 */
#include "kmsgc.h"

#include <inttypes.h>
#include <string.h>

static const char *const c_types[] = { "bool", "int8_t", "int16_t", "uint16_t", "int32_t", "uint32_t", "int64_t",
				       "double", "struct uuid", "struct str", "struct bytes", "struct records" };
static const char *const c_enums[] = { "BOOL", "INT8", "INT16", "UINT16", "INT32", "UINT32", "INT64", "FLOAT64",
				       "UUID", "STRING", "BYTES", "RECORDS", "STRUCT" };

static const char *base_name(const char *path)
{
	const char *slash = strrchr(path, '/');

	return slash != NULL ? slash + 1 : path;
}

static void notes(struct out *o, const struct line *l, const char *indent)
{
	const char *open = "/*";

	for (int i = 0; i < l->n_notes; i++) {
		if (strncmp(l->notes[i], "SPDX", 4) == 0)
			continue;
		put(o, "%s%s %s%s\n", indent, open, l->notes[i], i == l->n_notes - 1 ? " */" : "");
		open = " *";
	}
}

static void versions(struct out *o, const struct api *a, const struct field *f)
{
	bool all = f->since <= a->table_min && f->until == NONE;

	if (f->tag >= 0 || !all)
		put(o, "  /*");
	if (f->until != NONE)
		put(o, " %d-%d", f->since, f->until);
	else if (!all)
		put(o, " %d+", f->since);
	if (f->tag >= 0)
		put(o, " tag %d", f->tag);
	put(o, f->tag >= 0 || !all ? " */\n" : "\n");
}

static void member(struct out *o, const struct api *a, const struct field *f)
{
	const char *type = f->type == T_STRUCT ? f->label->cname : c_types[f->type];
	const char *word = f->type == T_STRUCT ? "struct " : "";

	notes(o, f->line, "\t");
	if (f->array)
		put(o, "\tstruct { %s%s *items; int32_t n; } %s;", word, type, f->cname);
	else
		put(o, "\t%s%s %s;", word, type, f->cname);
	versions(o, a, f);
}

/* Inner structs first. */
static void struct_type(struct out *o, const struct api *a, struct label *l)
{
	if (l->emitted)
		return;
	l->emitted = true;
	for (int i = 0; i < l->n; i++)
		if (l->fields[i].label != NULL)
			struct_type(o, a, l->fields[i].label);
	notes(o, l->line, "");
	put(o, "struct %s {\n", l->cname);
	for (int i = 0; i < l->n; i++)
		member(o, a, &l->fields[i]);
	if (l->n == 0)
		put(o, "\tchar unused_;\n");
	put(o, "};\nextern const struct msg_desc %s_desc;\n", l->cname);
	put(o, "/* Every field its default. */\nstatic inline void %s_init(struct %s *m)\n{\n", l->cname, l->cname);
	put(o, "\t*m = (struct %s){ 0 };\n\tmsg_default(&%s_desc, m);\n}\n\n", l->cname, l->cname);
}

static void unmark(const struct api *a)
{
	for (struct label *l = a->labels; l != NULL; l = l->next)
		l->emitted = false;
}

static void header(const struct api *a, const char *dir)
{
	struct out o = { 0 };

	put(&o, "/* Made by kmsgc from protocol/%s: change that file, not this one. */\n", base_name(a->path));
	put(&o, "#pragma once\n\n#include \"wire/codec.h\"\n\n");
	notes(&o, a->line, "");
	put(&o, "enum { %s_KEY = %d };\n\n", upper(a->cname), a->key);
	unmark(a);
	struct_type(&o, a, a->request);
	struct_type(&o, a, a->response);
	put(&o, "extern const struct api_desc %s_api;\n", a->cname);
	out_write(&o, dir, pool_printf("%s.h", a->cname));
}

static void descriptor(struct out *o, const struct label *l, const struct field *f)
{
	static const char *const flags[] = { "ARRAY", "LOSSY", "SECRET", "PLAIN" };
	bool set[] = { f->array, f->lossy, f->secret, f->plain };
	const char *bar = "";

	put(o, "\t{ \"%s\", offsetof(struct %s, %s), FIELD_%s, ", f->name, l->cname, f->cname, c_enums[f->type]);
	for (int i = 0; i < 4; i++)
		if (set[i]) {
			put(o, "%sFIELD_%s", bar, flags[i]);
			bar = " | ";
		}
	put(o, "%s, %d, %d, ", *bar == '\0' ? "0" : "", f->since, f->until);
	if (f->null_since == NONE)
		put(o, "FIELD_NO_NULL, ");
	else
		put(o, "%d, ", f->null_since);
	if (f->tag < 0)
		put(o, "FIELD_NO_TAG, ");
	else
		put(o, "%d, ", f->tag);
	if (f->initial == INT64_MIN)
		put(o, "INT64_MIN, ");
	else
		put(o, "INT64_C(%" PRId64 "), ", f->initial);
	if (f->type == T_STRUCT)
		put(o, "&%s_desc },\n", f->label->cname);
	else
		put(o, "NULL },\n");
}

static void table(struct out *o, struct label *l)
{
	if (l->emitted)
		return;
	l->emitted = true;
	for (int i = 0; i < l->n; i++)
		if (l->fields[i].label != NULL)
			table(o, l->fields[i].label);
	put(o, "_Static_assert(sizeof(struct %s) <= UINT16_MAX, \"the size does not fit the table\");\n", l->cname);
	if (l->n > 0) {
		put(o, "static const struct field_desc %s_fields[] = {\n", l->cname);
		for (int i = 0; i < l->n; i++)
			descriptor(o, l, &l->fields[i]);
		put(o, "};\n_Static_assert(ARRAY_LEN(%s_fields) == %d, \"fields\");\n", l->cname, l->n);
	}
	put(o, "const struct msg_desc %s_desc = { \"%s\", sizeof(struct %s), %d, ", l->cname, l->name, l->cname, l->n);
	put(o, l->n > 0 ? "%s_fields };\n\n" : "NULL };\n\n", l->cname);
}

static void api_table(struct out *o, const struct api *apis, int n)
{
	for (int i = 0; i < n; i++) {
		const struct api *a = &apis[i];

		put(o, "const struct api_desc %s_api = {\n\t.name = \"%s\", .key = %d, ", a->cname, a->name, a->key);
		put(o, ".min = %d, .max = %d, .flexible = %d, .route = ROUTE_%s,\n", a->min, a->max, a->flexible,
		    upper(a->route));
		put(o, "\t.request = &%s_desc, .response = &%s_desc, .table_min = %d, .table_max = %d\n};\n",
		    a->request->cname, a->response->cname, a->table_min, a->table_max);
	}
	put(o, "\nstatic const struct api_desc *const apis[] = {\n");
	for (int i = 0; i < n; i++)
		put(o, "\t&%s_api,\n", apis[i].cname);
	put(o, "};\n\nconst struct api_desc *const *api_table(int *n)\n{\n\t*n = (int)ARRAY_LEN(apis);\n"
	       "\treturn apis;\n}\n");
}

void emit(const struct api *apis, int n, const char *dir)
{
	struct out o = { 0 };

	for (int i = 0; i < n; i++)
		header(&apis[i], dir);
	put(&o, "/* Made by kmsgc from protocol/: change the files there, not this one. */\n");
	put(&o, "#include \"base/mem.h\"\n#include \"wire/codec.h\"\n");
	for (int i = 0; i < n; i++)
		put(&o, "#include \"wire/msg/%s.h\"\n", apis[i].cname);
	put(&o, "\n#include <stddef.h>\n\n");
	for (int i = 0; i < n; i++) {
		unmark(&apis[i]);
		table(&o, apis[i].request);
		table(&o, apis[i].response);
	}
	api_table(&o, apis, n);
	out_write(&o, dir, "tables.c");
}
