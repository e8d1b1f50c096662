/* SPDX-License-Identifier: Apache-2.0 */
#include "control/props.h"

#include "base/mem.h"
#include "base/str.h"

#include <errno.h>
#include <fcntl.h>
#include <stdint.h>
#include <string.h>
#include <sys/stat.h>
#include <unistd.h>

enum { PROPS_FILE_MAX = 4 << 20 };

/* Bytes that grow; always NUL-terminated once something was added. */
struct text {
	char *data;
	size_t len, cap;
};

static void text_add(struct text *t, char c)
{
	if (t->len + 2 > t->cap) {
		t->cap = t->cap == 0 ? 128 : t->cap * 2;
		t->data = xrealloc(t->data, t->cap, 1);
	}
	t->data[t->len++] = c;
	t->data[t->len] = '\0';
}

static void text_add_utf8(struct text *t, uint32_t c)
{
	if (c < 0x80) {
		text_add(t, (char)c);
	} else if (c < 0x800) {
		text_add(t, (char)(0xc0 | c >> 6));
		text_add(t, (char)(0x80 | (c & 0x3f)));
	} else if (c < 0x10000) {
		text_add(t, (char)(0xe0 | c >> 12));
		text_add(t, (char)(0x80 | (c >> 6 & 0x3f)));
		text_add(t, (char)(0x80 | (c & 0x3f)));
	} else {
		text_add(t, (char)(0xf0 | c >> 18));
		text_add(t, (char)(0x80 | (c >> 12 & 0x3f)));
		text_add(t, (char)(0x80 | (c >> 6 & 0x3f)));
		text_add(t, (char)(0x80 | (c & 0x3f)));
	}
}

/* The length of a well-formed UTF-8 sequence at p, or 0. */
static size_t utf8_len(const unsigned char *p, const unsigned char *end)
{
	size_t n = p[0] < 0x80 ? 1 : p[0] >= 0xc2 && p[0] < 0xe0 ? 2 : p[0] >= 0xe0 && p[0] < 0xf0 ? 3 :
		   p[0] >= 0xf0 && p[0] < 0xf5 ? 4 : 0;

	if (n == 0 || (size_t)(end - p) < n)
		return 0;
	for (size_t i = 1; i < n; i++)
		if ((p[i] & 0xc0) != 0x80)
			return 0;
	if (n == 3 && ((p[0] == 0xe0 && p[1] < 0xa0) || (p[0] == 0xed && p[1] >= 0xa0)))
		return 0;
	if (n == 4 && ((p[0] == 0xf0 && p[1] < 0x90) || (p[0] == 0xf4 && p[1] >= 0x90)))
		return 0;
	return n;
}

static bool utf8_valid(const char *data, size_t len)
{
	const unsigned char *p = (const unsigned char *)data, *end = p + len;

	while (p < end) {
		size_t n = utf8_len(p, end);

		if (n == 0)
			return false;
		p += n;
	}
	return true;
}

static bool blank(char c)
{
	return c == ' ' || c == '\t' || c == '\f';
}

/* --- the list ------------------------------------------------------------------------------------------------ */

void props_fini(struct props *props)
{
	for (int i = 0; i < props->n; i++) {
		xfree(props->items[i].key);
		xfree_secret(props->items[i].value);
		xfree(props->items[i].file);
	}
	xfree(props->items);
	*props = (struct props){ 0 };
}

static int find(const struct props *props, const char *key)
{
	for (int i = 0; i < props->n; i++)
		if (strcmp(props->items[i].key, key) == 0)
			return i;
	return -1;
}

const struct prop *props_find(const struct props *props, const char *key)
{
	int i = find(props, key);

	return i < 0 ? NULL : &props->items[i];
}

const char *props_get(const struct props *props, const char *key)
{
	int i = find(props, key);

	return i < 0 ? NULL : props->items[i].value;
}

void props_set(struct props *props, const char *key, const char *value, const char *file, int line)
{
	struct prop new = { xstrdup(key), xstrdup(value), xstrdup(file), line };
	int i = find(props, key);

	if (i < 0) {
		props->items = xrealloc(props->items, (size_t)props->n + 1, sizeof(*props->items));
		i = props->n++;
	} else {
		xfree(props->items[i].key);
		xfree_secret(props->items[i].value);
		xfree(props->items[i].file);
	}
	props->items[i] = new;
}

void props_add(struct props *to, const struct props *from)
{
	for (int i = 0; i < from->n; i++) {
		const struct prop *p = &from->items[i];

		props_set(to, p->key, p->value, p->file, p->line);
	}
}

bool props_equal(const struct props *a, const struct props *b)
{
	for (int i = 0; i < a->n; i++)
		if (!text_eq(a->items[i].value, props_get(b, a->items[i].key)))
			return false;
	return a->n == b->n;
}

void props_remove(struct props *props, const char *key)
{
	int i = find(props, key);

	if (i < 0)
		return;
	xfree(props->items[i].key);
	xfree_secret(props->items[i].value);
	xfree(props->items[i].file);
	props->n--;
	memmove(&props->items[i], &props->items[i + 1], (size_t)(props->n - i) * sizeof(*props->items));
}

/* --- the parser ---------------------------------------------------------------------------------------------- */

struct parser {
	const char *file;
	const char *p, *end;
	int line;            /* of p */
	struct text logical; /* the line with its continuations, escapes still in it */
	int logical_line;    /* where it began */
};

/* Takes one natural line off the input; *end_of is its end without the terminator. */
static const char *natural_line(struct parser *ps, const char **end_of)
{
	const char *start = ps->p, *q = ps->p;

	while (q < ps->end && *q != '\n' && *q != '\r')
		q++;
	*end_of = q;
	if (q < ps->end)
		q += *q == '\r' && q + 1 < ps->end && q[1] == '\n' ? 2 : 1;
	ps->p = q;
	ps->line++;
	return start;
}

/* Fills ps->logical with the next logical line; false at the end of the input. */
static bool logical_line(struct parser *ps)
{
	bool more = false;

	ps->logical.len = 0;
	while (ps->p < ps->end) {
		const char *end, *s = natural_line(ps, &end);
		const char *tail;

		while (s < end && blank(*s))
			s++;
		if (!more) {
			if (s == end || *s == '#' || *s == '!')
				continue;
			ps->logical_line = ps->line;
		}
		for (tail = end; tail > s && tail[-1] == '\\';)
			tail--;
		more = (end - tail) % 2 == 1;
		for (; s < end - more; s++)
			text_add(&ps->logical, *s);
		if (!more && ps->logical.len > 0)
			break;
	}
	return ps->logical.len > 0;
}

static int bad(const struct parser *ps, struct err *err, const char *what)
{
	return err_set(err, RC_USAGE, "%s:%d: %s", ps->file, ps->logical_line, what);
}

static bool hex4(const char *p, const char *end, uint32_t *unit)
{
	*unit = 0;
	if (end - p < 4)
		return false;
	for (int i = 0; i < 4; i++) {
		char c = p[i];
		uint32_t d = c >= '0' && c <= '9' ? (uint32_t)(c - '0') : c >= 'a' && c <= 'f' ? (uint32_t)(c - 'a') + 10 :
			     c >= 'A' && c <= 'F' ? (uint32_t)(c - 'A') + 10 : 16;

		if (d == 16)
			return false;
		*unit = *unit << 4 | d;
	}
	return true;
}

/* Behind the backslash and the u; moves *p behind the escape. Two halves of a pair are one character. */
static bool unicode_escape(const char **p, const char *end, struct text *out)
{
	uint32_t unit, low;

	if (!hex4(*p, end, &unit))
		return false;
	*p += 4;
	if (unit >= 0xd800 && unit < 0xdc00) {
		if (end - *p < 6 || (*p)[0] != '\\' || (*p)[1] != 'u' || !hex4(*p + 2, end, &low) || low < 0xdc00 ||
		    low > 0xdfff)
			return false;
		*p += 6;
		unit = 0x10000 + ((unit - 0xd800) << 10) + (low - 0xdc00);
	} else if (unit == 0 || (unit >= 0xdc00 && unit <= 0xdfff)) {
		return false;
	}
	text_add_utf8(out, unit);
	return true;
}

static bool unescape(const char *p, const char *end, struct text *out)
{
	static const char from[] = "tnrf", to[] = "\t\n\r\f";

	while (p < end) {
		const char *known;

		if (*p != '\\') {
			text_add(out, *p++);
			continue;
		}
		p++;
		if (p == end)
			break;
		if (*p == 'u') {
			p++;
			if (!unicode_escape(&p, end, out))
				return false;
			continue;
		}
		known = strchr(from, *p);
		text_add(out, known != NULL ? to[known - from] : *p);
		p++;
	}
	return true;
}

static const char *key_end(const char *p, const char *end)
{
	for (; p < end && !blank(*p) && *p != '=' && *p != ':'; p++)
		if (*p == '\\' && p + 1 < end)
			p++;
	return p;
}

/* Kafka trims every value when it reads it. */
static char *trimmed(struct text *t)
{
	char *s = t->data;

	while (t->len > 0 && (blank(t->data[t->len - 1]) || t->data[t->len - 1] == '\n' || t->data[t->len - 1] == '\r'))
		t->data[--t->len] = '\0';
	while (s != NULL && (blank(*s) || *s == '\n' || *s == '\r'))
		s++;
	return s;
}

static int logical_parse(struct parser *ps, struct props *props, struct err *err)
{
	const char *p = ps->logical.data, *end = p + ps->logical.len, *sep = key_end(p, end);
	struct text key = { 0 }, value = { 0 };
	int rc = RC_OK;

	if (!utf8_valid(p, (size_t)(end - p)))
		return bad(ps, err, "not valid UTF-8");
	if (memchr(p, '\0', (size_t)(end - p)) != NULL)
		return bad(ps, err, "a NUL byte: this is no text file");
	if (!unescape(p, sep, &key))
		rc = bad(ps, err, "bad \\u escape in the key: four hexadecimal digits are needed");
	for (p = sep; p < end && blank(*p); p++)
		;
	if (p < end && (*p == '=' || *p == ':'))
		p++;
	for (; p < end && blank(*p); p++)
		;
	if (rc == RC_OK && !unescape(p, end, &value))
		rc = bad(ps, err, "bad \\u escape: four hexadecimal digits are needed");
	if (rc == RC_OK && key.len == 0)
		rc = bad(ps, err, "a line without a key");
	if (rc == RC_OK)
		props_set(props, key.data, value.len > 0 ? trimmed(&value) : "", ps->file, ps->logical_line);
	xfree(key.data);
	xfree(value.data);
	return rc;
}

int props_parse(struct props *props, const char *file, const char *text, size_t len, struct err *err)
{
	struct parser ps = { .file = file, .p = text, .end = text + len };
	int rc = RC_OK;

	/* A byte order mark is what some editors leave. */
	if (len >= 3 && memcmp(text, "\xef\xbb\xbf", 3) == 0)
		ps.p += 3;
	while (rc == RC_OK && logical_line(&ps))
		rc = logical_parse(&ps, props, err);
	xfree(ps.logical.data);
	return rc;
}

/* --- files and the command line ------------------------------------------------------------------------------ */

static int read_all(const char *path, int fd, struct text *out, struct err *err)
{
	char chunk[8192];
	ssize_t n;

	while ((n = read(fd, chunk, sizeof(chunk))) != 0) {
		if (n < 0 && errno == EINTR)
			continue;
		if (n < 0)
			return err_set(err, RC_USAGE, "%s: %s", path, strerror(errno));
		if (out->len + (size_t)n > PROPS_FILE_MAX)
			return err_set(err, RC_USAGE, "%s: larger than 4 MiB: this is no configuration file", path);
		for (ssize_t i = 0; i < n; i++)
			text_add(out, chunk[i]);
	}
	return RC_OK;
}

int props_load(struct props *props, const char *path, struct err *err)
{
	int fd = open(path, O_RDONLY | O_CLOEXEC | O_NOCTTY);
	struct text text = { 0 };
	int rc;

	if (fd < 0)
		return err_set(err, RC_USAGE, "%s: %s", path, strerror(errno));
	rc = read_all(path, fd, &text, err);
	close(fd);
	if (rc == RC_OK && text.len > 0)
		rc = props_parse(props, path, text.data, text.len, err);
	xfree(text.data);
	return rc;
}

/* A piece with a key: letters of a key name, then =. Blanks around the key are let go. */
static size_t inline_key(const char *piece, size_t len)
{
	size_t n = 0;

	while (n < len && (strchr("._-", piece[n]) != NULL || (piece[n] >= 'a' && piece[n] <= 'z') ||
			   (piece[n] >= 'A' && piece[n] <= 'Z') || (piece[n] >= '0' && piece[n] <= '9')))
		n++;
	return n < len && n > 0 && piece[n] == '=' ? n : 0;
}

static void inline_flush(struct props *props, const struct text *key, struct text *value)
{
	if (key->len > 0)
		props_set(props, key->data, value->len > 0 ? trimmed(value) : "", "--config", 0);
}

static void text_put(struct text *t, const char *s, size_t len)
{
	for (size_t i = 0; i < len; i++)
		text_add(t, s[i]);
}

int props_inline(struct props *props, const char *text, struct err *err)
{
	struct text key = { 0 }, value = { 0 };
	const char *p = text;
	int rc = RC_OK;

	if (!utf8_valid(text, strlen(text)))
		return err_set(err, RC_USAGE, "--config: not valid UTF-8");
	while (rc == RC_OK) {
		size_t len = strcspn(p, ","), n;
		const char *s = p;

		for (; len > 0 && blank(*s); s++)
			len--;
		n = inline_key(s, len);
		if (n > 0) {
			inline_flush(props, &key, &value);
			key.len = value.len = 0;
			text_put(&key, s, n);
			text_put(&value, s + n + 1, len - n - 1);
		} else if (key.len > 0) {
			text_add(&value, ',');
			text_put(&value, p, strcspn(p, ","));
		} else if (len > 0) {
			rc = err_set(err, RC_USAGE, "--config: \"%.*s\" is not key=value", (int)MIN(len, (size_t)80), s);
		}
		p += strcspn(p, ",");
		if (*p++ == '\0')
			break;
	}
	if (rc == RC_OK)
		inline_flush(props, &key, &value);
	xfree(key.data);
	xfree(value.data);
	return rc;
}

enum file_exposure props_file_exposure(const char *path)
{
	struct stat st;

	if (stat(path, &st) != 0 || !S_ISREG(st.st_mode))
		return FILE_PRIVATE;
	if (st.st_mode & S_IWOTH)
		return FILE_WRITABLE;
	return st.st_mode & S_IROTH ? FILE_READABLE : FILE_PRIVATE;
}
