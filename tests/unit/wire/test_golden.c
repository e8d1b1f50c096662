/* SPDX-License-Identifier: Apache-2.0 */
/* Frames that real brokers and clients sent: decoded, printed and compared with the text beside them, encoded again
 * and compared with the bytes. tests/golden/README.md says how they come there. */
#include "test_wire.h"

#include "base/mem.h"
#include "wire/codec_impl.h"

#include <dirent.h>
#include <stdio.h>
#include <stdlib.h>

static const char *golden_dir(void)
{
	static char dir[4096];
	const char *src = getenv("top_srcdir");

	snprintf(dir, sizeof(dir), "%s/tests/golden", src != NULL ? src : ".");
	return dir;
}

static uint8_t *slurp(const char *name, const char *suffix, size_t *len)
{
	char *path = xasprintf("%s/%s%s", golden_dir(), name, suffix);
	FILE *f = fopen(path, "rb");
	uint8_t *data = xcalloc(1, (1 << 20) + 1);

	ck_assert_msg(f != NULL, "%s", path);
	*len = fread(data, 1, 1 << 20, f);
	fclose(f);
	xfree(path);
	return data;
}

/* NAME-request-vN[-more] or NAME-response-vN[-more], NAME as in wire/msg. */
static const struct api_desc *parse_name(const char *file, bool *request, int16_t *version)
{
	char name[64] = "", kind[16] = "";
	int v = -1, n;
	const struct api_desc *const *apis = api_table(&n);

	if (sscanf(file, "%63[a-zA-Z0-9]-%15[a-z]-v%d", name, kind, &v) != 3)
		return NULL;
	*request = strcmp(kind, "request") == 0;
	*version = (int16_t)v;
	for (int i = 0; i < n; i++)
		if (strcmp(apis[i]->name, name) == 0)
			return apis[i];
	return NULL;
}

static void *decode(const struct api_desc *api, int16_t version, const uint8_t *frame, size_t len, struct arena *arena,
		    struct request_header *h)
{
	void *msg = arena_alloc(arena, MAX(api->request->size, api->response->size));
	struct reader r;

	if (h == NULL) {
		int32_t correlation;

		ck_assert(response_decode(api, version, frame, len, arena, &correlation, msg));
		return msg;
	}
	ck_assert(request_header_decode(frame, len, h, &r));
	ck_assert(h->api_key == api->key && h->api_version == version);
	ck_assert(msg_decode(api->request, version, version >= api->flexible, &r, arena, msg));
	ck_assert(r.p == r.end && r.unknown_tags == 0);
	return msg;
}

/* With GOLDEN_WRITE in the environment the text is written, for a person to read, instead of compared. */
static void check_text(const char *name, const char *text)
{
	char *path = xasprintf("%s/%s.txt", golden_dir(), name);
	uint8_t *wanted;
	size_t len;
	FILE *f;

	if (getenv("GOLDEN_WRITE") != NULL) {
		f = fopen(path, "wb");
		ck_assert(f != NULL && fputs(text, f) >= 0 && fclose(f) == 0);
	}
	wanted = slurp(name, ".txt", &len);
	ck_assert_msg(strcmp(text, (char *)wanted) == 0, "%s prints\n%s", name, text);
	xfree(wanted);
	xfree(path);
}

static void check_file(const char *file)
{
	char *base = xstrndup(file, strlen(file) - 4), *text = NULL, *client_id = NULL;
	struct request_header h;
	struct encoded e;
	struct arena arena;
	int16_t version;
	size_t len;
	bool request;
	const struct api_desc *api = parse_name(base, &request, &version);
	uint8_t *frame = slurp(base, ".bin", &len);
	void *msg;

	ck_assert_msg(api != NULL, "%s names no message", file);
	arena_init(&arena, 0);
	msg = decode(api, version, frame, len, &arena, request ? &h : NULL);
	msg_print(request ? api->request : api->response, version, msg, &text);
	check_text(base, text);
	client_id = request ? str_dup(h.client_id) : NULL;
	ck_assert_int_eq(request ? request_encode(api, version, h.correlation_id, client_id, msg, &arena, &e)
				 : response_encode(api, version, (int32_t)get32(frame), msg, &arena, &e), RC_OK);
	ck_assert_uint_eq(e.len - 4, len);
	ck_assert_msg(memcmp(joined(&e, &arena) + 4, frame, len) == 0, "%s", file);
	arena_fini(&arena);
	xfree(client_id);
	xfree(text);
	xfree(frame);
	xfree(base);
}

START_TEST(frames_of_real_brokers_decode_print_and_encode_again)
{
	DIR *dir = opendir(golden_dir());
	struct dirent *d;
	int n = 0;

	ck_assert_ptr_nonnull(dir);
	while ((d = readdir(dir)) != NULL)
		if (strlen(d->d_name) > 4 && strcmp(d->d_name + strlen(d->d_name) - 4, ".bin") == 0) {
			check_file(d->d_name);
			n++;
		}
	closedir(dir);
	ck_assert_int_gt(n, 100);
}
END_TEST

TCase *golden_tests(void)
{
	TCase *tc = tcase_create("golden");

	tcase_set_timeout(tc, 60);
	tcase_add_test(tc, frames_of_real_brokers_decode_print_and_encode_again);
	return tc;
}
