/* SPDX-License-Identifier: Apache-2.0 */
/* Input: a key of the control log, a line feed, and its value. Whatever is in it, it is foreign, refused with a reason, or
 * decodes to what encodes to the same again, with every field that is not known; secrets of links are opened or refused. */
#include "fuzz.h"

#include "base/mem.h"
#include "control/record.h"
#include "control/seal.h"

#include <string.h>

/* With a key and without: its settings, or why there are none; never both. */
static void unseal(const struct link_wish *wish, const struct secret_key *key)
{
	struct props props = { 0 };
	struct err err = { 0 };
	enum seal_fault fault;
	int rc = link_unseal(wish, key, &props, &fault, &err);

	CHECK((rc == RC_OK) == (fault == SEAL_FINE) && (rc == RC_OK || (props.n == 0 && err.text[0] != '\0')));
	for (int i = 0; i < props.n && key == NULL; i++)
		CHECK(!secret_in_clear(props.items[i].key, props.items[i].value));
	props_fini(&props);
}

static void unseal_both(const struct link_wish *wish)
{
	static const uint8_t raw[SECRET_KEY_LEN];   /* the corpus is sealed with zeros */
	struct secret_key key;

	secret_key_derive(&key, raw);
	unseal(wish, &key);
	unseal(wish, NULL);
}

static void unseal_here_and_there(struct link_wish *wish)
{
	unseal_both(wish);
	wish->offset = 7;   /* where the corpus has been signed for */
	unseal_both(wish);
}

static json_t *link_wish_again(const char *name, const char *topic, json_t *value, struct err *err)
{
	struct link_wish w;
	json_t *again = link_wish_decode(&w, name, value, err) == RC_OK ? link_wish_encode(&w) : NULL;

	(void)topic;
	if (again != NULL)
		unseal_here_and_there(&w);
	link_wish_fini(&w);
	return again;
}

static json_t *mirror_wish_again(const char *name, const char *topic, json_t *value, struct err *err)
{
	struct mirror_wish w;
	json_t *again = mirror_wish_decode(&w, name, topic, value, err) == RC_OK ? mirror_wish_encode(&w) : NULL;

	mirror_wish_fini(&w);
	return again;
}

static json_t *link_state_again(const char *name, const char *topic, json_t *value, struct err *err)
{
	struct link_state s;
	json_t *again = link_state_decode(&s, name, value, err) == RC_OK ? link_state_encode(&s) : NULL;

	(void)topic;
	link_state_fini(&s);
	return again;
}

static json_t *mirror_state_again(const char *name, const char *topic, json_t *value, struct err *err)
{
	struct mirror_state s;
	json_t *again = mirror_state_decode(&s, name, topic, value, err) == RC_OK ? mirror_state_encode(&s) : NULL;

	mirror_state_fini(&s);
	return again;
}

static json_t *claim_again(const char *name, const char *topic, json_t *value, struct err *err)
{
	struct claim c;
	json_t *again = claim_decode(&c, name, value, err) == RC_OK ? claim_encode(&c) : NULL;

	(void)topic;
	claim_fini(&c);
	return again;
}

static json_t *worker_again(const char *name, const char *topic, json_t *value, struct err *err)
{
	struct worker_record w;
	json_t *again = worker_record_decode(&w, name, value, err) == RC_OK ? worker_record_encode(&w) : NULL;

	(void)topic;
	worker_record_fini(&w);
	return again;
}

static json_t *sync_again(const char *name, const char *topic, json_t *value, struct err *err)
{
	struct sync_record s;
	json_t *again = sync_record_decode(&s, name, value, err) == RC_OK ? sync_record_encode(&s) : NULL;

	(void)topic;
	sync_record_fini(&s);
	return again;
}

static json_t *pause_again(const char *name, const char *topic, json_t *value, struct err *err)
{
	struct link_pause p;
	json_t *again = link_pause_decode(&p, name, value, err) == RC_OK ? link_pause_encode(&p) : NULL;

	(void)topic;
	link_pause_fini(&p);
	return again;
}

static json_t *again(enum record_kind kind, const char *name, const char *topic, json_t *value, struct err *err)
{
	static json_t *(*const of[])(const char *name, const char *topic, json_t *value, struct err *err) = {
		[RECORD_LINK] = link_wish_again, [RECORD_MIRROR] = mirror_wish_again,
		[RECORD_LINK_STATE] = link_state_again, [RECORD_MIRROR_STATE] = mirror_state_again,
		[RECORD_CLAIM] = claim_again, [RECORD_WORKER] = worker_again,
		[RECORD_SYNC] = sync_again, [RECORD_PAUSE] = pause_again,
	};

	*err = (struct err){ 0 };
	return of[kind](name, topic, value, err);
}

static void decode(enum record_kind kind, const char *name, const char *topic, json_t *value)
{
	struct err err;
	json_t *once = again(kind, name, topic, value, &err), *twice;

	if (once == NULL) {
		CHECK((err.rc == RC_PROTO || err.rc == RC_UNSUPPORTED) && err.text[0] != '\0');
		return;
	}
	twice = again(kind, name, topic, once, &err);
	CHECK(twice != NULL && json_equal(once, twice));
	json_decref(once);
	json_decref(twice);
}

int LLVMFuzzerTestOneInput(const uint8_t *data, size_t size)
{
	const uint8_t *line = memchr(data, '\n', size);
	size_t key_len = line != NULL ? (size_t)(line - data) : size;
	char *name = NULL, *topic = NULL;
	enum record_kind kind = record_key_parse((const char *)data, key_len, &name, &topic);
	json_t *value = NULL;

	if (line != NULL)
		value = json_loadb((const char *)line + 1, size - key_len - 1, JSON_REJECT_DUPLICATES, NULL);
	CHECK(kind == RECORD_FOREIGN || name != NULL);
	if (kind != RECORD_FOREIGN && value != NULL)
		decode(kind, name, topic, value);
	json_decref(value);
	xfree(name);
	xfree(topic);
	return 0;
}
