/* SPDX-License-Identifier: Apache-2.0 */
#include "base/mem.h"
#include "control/acl_names.h"
#include "control/acl_plan.h"
#include "test_control.h"

#include <string.h>

/* ACLs as "TYPE NAME PRINCIPAL OPERATION PERMISSION", a name with a trailing + is a prefix; lists with a bar between. */
static json_t *acls(const char *list)
{
	json_t *out = json_array();
	char word[5][60];

	for (const char *p = list; p != NULL && *p != '\0'; p = strchr(p, '|'), p += p != NULL) {
		size_t n;
		bool prefixed;

		ck_assert_int_eq(sscanf(p, "%59s %59s %59s %59s %59[A-Z]", word[0], word[1], word[2], word[3], word[4]), 5);
		n = strlen(word[1]);
		prefixed = word[1][n - 1] == '+';
		word[1][n - prefixed] = '\0';
		json_array_append_new(out, json_pack("{ssssssssssssss}", "type", word[0], "resource", word[1], "pattern",
						     prefixed ? "PREFIXED" : "LITERAL", "principal", word[2], "host", "*",
						     "operation", word[3], "permission", word[4]));
	}
	return out;
}

static const char *shown(const json_t *list, char *out, size_t size)
{
	const json_t *a;
	size_t i, at = 0;

	out[0] = '\0';
	json_array_foreach(list, i, a) {
		const char *type = json_string_value(json_object_get(a, "type"));
		bool prefixed = strcmp(json_string_value(json_object_get(a, "pattern")), "PREFIXED") == 0;

		at += (size_t)snprintf(out + at, size - at,
	  "%s%s %s%s %s %s %s", i > 0 ? "|" : "", type != NULL ? type : "-",
				       json_string_value(json_object_get(a, "resource")), prefixed ? "+" : "",
				       json_string_value(json_object_get(a, "principal")),
				       json_string_value(json_object_get(a, "operation")),
				       json_string_value(json_object_get(a, "permission")));
		ck_assert(at < size);
	}
	return out;
}

#define BAN "TOPIC _krmirror User:* READ DENY"
#define ANY "[{\"resourceFilter\":{\"resourceType\":\"any\",\"patternType\":\"any\"}," \
	"\"accessFilter\":{\"operation\":\"any\",\"permissionType\":\"any\"}}]"
#define OWN "GROUP krmirror User:k ALL ALLOW|TOPIC * User:k ALL ALLOW"

struct plan_case {
	const char *source, *here, *made;
	const char *live, *stopped;          /* a topic each */
	const char *create, *remove, *now, *intended;
	const char *filters;                 /* NULL: all */
};

static const struct plan_case cases[] = {
	/* made, kept, removed */
	{ "TOPIC t User:a READ ALLOW", BAN, "", "t", NULL, "TOPIC t User:a READ ALLOW", "",
	  "TOPIC t User:a READ ALLOW", "", NULL },
	{ "TOPIC t User:a READ ALLOW", BAN "|TOPIC t User:a READ ALLOW", "TOPIC t User:a READ ALLOW", "t", NULL, "", "",
	  "TOPIC t User:a READ ALLOW", "", NULL },
	{ "", BAN "|TOPIC t User:a READ ALLOW", "TOPIC t User:a READ ALLOW", "t", NULL, "",
	  "TOPIC t User:a READ ALLOW", "", "",
	  NULL },
	/* what others made is theirs */
	{ "TOPIC t User:a READ ALLOW", BAN "|TOPIC t User:a READ ALLOW", "", "t", NULL, "", "", "", "", NULL },
	{ "", BAN "|TOPIC t User:a READ ALLOW", "", "t", NULL, "", "", "", "", NULL },
	/* what lets write is withheld, whatever its form */
	{ "TOPIC t User:a WRITE ALLOW", BAN, "", "t", NULL, "", "", "", "- t User:a WRITE ALLOW", NULL },
	{ "TOPIC * User:a WRITE ALLOW", BAN, "", "t", NULL, "", "", "", "- t User:a WRITE ALLOW", NULL },
	{ "TOPIC t+ User:a WRITE ALLOW|TOPIC * User:a WRITE ALLOW", BAN, "", "tt", NULL, "", "", "",
	  "- tt User:a WRITE ALLOW",
	  NULL },
	{ "TOPIC t User:a ALL ALLOW", BAN, "", "t", NULL,
	  "TOPIC t User:a READ ALLOW|TOPIC t User:a DESCRIBE ALLOW|TOPIC t User:a DESCRIBE_CONFIGS ALLOW", "",
	  "TOPIC t User:a READ ALLOW|TOPIC t User:a DESCRIBE ALLOW|TOPIC t User:a DESCRIBE_CONFIGS ALLOW",
	  "- t User:a ALL ALLOW", NULL },
	{ "TOPIC t User:a WRITE DENY", BAN, "", "t", NULL, "TOPIC t User:a WRITE DENY", "",
	  "TOPIC t User:a WRITE DENY", "", NULL },
	{ "TOPIC u User:a WRITE ALLOW", BAN, "", "t", NULL, "TOPIC u User:a WRITE ALLOW", "",
	  "TOPIC u User:a WRITE ALLOW", "",
	  NULL },
	/* made before there was such a mirror */
	{ "TOPIC t+ User:a WRITE ALLOW", BAN "|TOPIC t+ User:a WRITE ALLOW", "TOPIC t+ User:a WRITE ALLOW", "tt", NULL, "",
	  "TOPIC t+ User:a WRITE ALLOW", "", "- tt User:a WRITE ALLOW", NULL },
	/* others let somebody write already: it is not the promotion's to make, nor ours to remove */
	{ "TOPIC t User:a WRITE ALLOW", BAN "|TOPIC t User:a WRITE ALLOW", "", "t", NULL, "", "", "", "", NULL },
	/* promoted: as at the source, or by name while another is live, and of everything always by name */
	{ "TOPIC t User:a WRITE ALLOW", BAN, "", NULL, "t", "TOPIC t User:a WRITE ALLOW", "",
	  "TOPIC t User:a WRITE ALLOW", "",
	  NULL },
	{ "TOPIC t+ User:a WRITE ALLOW", BAN, "", "t1", "t2", "TOPIC t2 User:a WRITE ALLOW", "",
	  "TOPIC t2 User:a WRITE ALLOW",
	  "- t1 User:a WRITE ALLOW", NULL },
	{ "TOPIC t+ User:a WRITE ALLOW", BAN "|TOPIC t2 User:a WRITE ALLOW", "TOPIC t2 User:a WRITE ALLOW", NULL, "t2",
	  "TOPIC t+ User:a WRITE ALLOW", "", "TOPIC t+ User:a WRITE ALLOW|TOPIC t2 User:a WRITE ALLOW", "", NULL },
	{ "TOPIC * User:a WRITE ALLOW", BAN, "", NULL, "t", "TOPIC t User:a WRITE ALLOW", "",
	  "TOPIC t User:a WRITE ALLOW", "",
	  NULL },
	/* and when the mirror is forgotten, until the source takes it away */
	{ "TOPIC * User:a WRITE ALLOW", BAN "|TOPIC t User:a WRITE ALLOW", "TOPIC t User:a WRITE ALLOW", NULL, NULL, "", "",
	  "TOPIC t User:a WRITE ALLOW", "", NULL },
	{ "TOPIC * User:b WRITE ALLOW", BAN "|TOPIC t User:a WRITE ALLOW", "TOPIC t User:a WRITE ALLOW", NULL, NULL, "",
	  "TOPIC t User:a WRITE ALLOW", "", "", NULL },
	/* krmirror's own */
	{ "TOPIC t User:k READ ALLOW|TOPIC t User:s READ ALLOW|CLUSTER kafka-cluster User:a ALTER ALLOW|"
	  "TOPIC _krmirror User:a READ ALLOW|TOPIC _+ User:a READ ALLOW|GROUP krmirror User:a READ ALLOW|"
	  "GROUP k+ User:a READ ALLOW", BAN, "", "t", NULL, "", "", "", "", NULL },
	{ "GROUP * User:a READ ALLOW", BAN, "", "t", NULL, "GROUP * User:a READ ALLOW", "",
	  "GROUP * User:a READ ALLOW", "", NULL },
	/* no super user, as far as is known: what would shut it out is not made */
	{ "TOPIC t User:* READ DENY|TOPIC * User:* DESCRIBE DENY|GROUP * User:* READ DENY", OWN, "",
	  "t", NULL, "", "", "", "",
	  NULL },
	{ "TOPIC t User:a READ ALLOW|GROUP * User:a READ ALLOW", "", "", "t", NULL, "", "", "", "", NULL },
	{ "TOPIC t User:a READ ALLOW", OWN, "", "t", NULL, "TOPIC t User:a READ ALLOW", "",
	  "TOPIC t User:a READ ALLOW", "", NULL },
	/* filters */
	{ "TOPIC t User:a READ ALLOW|GROUP g User:a READ ALLOW|TRANSACTIONAL_ID x User:a WRITE ALLOW", BAN, "", "t", NULL,
	  "TRANSACTIONAL_ID x User:a WRITE ALLOW", "", "TRANSACTIONAL_ID x User:a WRITE ALLOW", "",
	  "[{\"resourceFilter\":{\"resourceType\":\"transactionalId\",\"patternType\":\"literal\"},"
	  "\"accessFilter\":{\"operation\":\"write\",\"permissionType\":\"allow\",\"principal\":\"User:a\"}}]" },
	{ "TOPIC t User:a READ ALLOW|TOPIC t+ User:a READ ALLOW|TOPIC u User:a READ ALLOW", BAN, "", NULL, NULL,
	  "TOPIC t User:a READ ALLOW|TOPIC t+ User:a READ ALLOW", "",
	  "TOPIC t User:a READ ALLOW|TOPIC t+ User:a READ ALLOW", "",
	  "[{\"resourceFilter\":{\"resourceType\":\"TOPIC\",\"patternType\":\"MATCH\",\"name\":\"t\"},"
	  "\"accessFilter\":{\"operation\":\"ANY\",\"permissionType\":\"ANY\"}}]" },
};

START_TEST(acls_stand_as_at_the_source_but_for_writing)
{
	const struct plan_case *c = &cases[_i];
	struct acl_topic topics[2] = { { 0 } };
	struct acl_seen seen = {
		.source = acls(c->source), .here = acls(c->here), .made = acls(c->made), .topics = topics,
		.filters = json_loads(c->filters != NULL ? c->filters : ANY, 0, NULL), .selves = { "User:k", "User:s" },
		.control_topic = "_krmirror", .group = "krmirror",
	};
	struct acl_plan plan;
	char text[1000];
	int live = -1;

	if (c->live != NULL) {
		live = seen.n_topics;
		topics[seen.n_topics++].name = c->live;
	}
	if (c->stopped != NULL)
		topics[seen.n_topics++] = (struct acl_topic){ .name = c->stopped, .stopped = true };
	acl_plan(&seen, &plan);
	ck_assert_str_eq(shown(plan.create, text, sizeof(text)), c->create);
	ck_assert_str_eq(shown(plan.remove, text, sizeof(text)), c->remove);
	ck_assert_str_eq(shown(plan.made, text, sizeof(text)), c->now);
	ck_assert_str_eq(shown(live >= 0 ? plan.intended[live] : NULL, text, sizeof(text)), c->intended);
	acl_plan_fini(&plan);
	json_decref((json_t *)(uintptr_t)seen.source);
	json_decref((json_t *)(uintptr_t)seen.here);
	json_decref((json_t *)(uintptr_t)seen.made);
	json_decref((json_t *)(uintptr_t)seen.filters);
}
END_TEST

START_TEST(another_link_s_mirror_is_not_written_to_either)
{
	struct acl_topic topics[] = { { .name = "t", .other = true } };
	struct acl_seen seen = {
		.source = acls("TOPIC t+ User:a WRITE ALLOW"), .here = acls(BAN), .made = acls(""), .topics = topics,
		.n_topics = 1, .filters = json_loads(ANY, 0, NULL), .control_topic = "_krmirror", .group = "krmirror",
	};
	struct acl_plan plan;

	acl_plan(&seen, &plan);
	ck_assert_int_eq((int)json_array_size(plan.create), 0);
	ck_assert_int_eq((int)json_array_size(plan.intended[0]), 0);
	acl_plan_fini(&plan);
	json_decref((json_t *)(uintptr_t)seen.source);
	json_decref((json_t *)(uintptr_t)seen.here);
	json_decref((json_t *)(uintptr_t)seen.made);
	json_decref((json_t *)(uintptr_t)seen.filters);
}
END_TEST

struct names_case {
	struct acl_names names;
	struct acl_mirror mirrors[2];
	const char *acls, *made, *refused;
	bool same;
};

#define R " User:a READ ALLOW"

static const struct names_case names_cases[] = {
	{ { "", "", "", NULL, 1 }, { { "a", "a" } }, "TOPIC a" R "|GROUP g" R "|TOPIC b" R,
	  "TOPIC a" R "|GROUP g" R "|TOPIC b" R, "", true },
	/* by name: of each mirror; of what has none nothing, where names change */
	{ { "p.", "", "", NULL, 2 }, { { "a", "p.a" }, { "a", "p.x" } }, "TOPIC a" R "|TOPIC b" R "|TOPIC *" R,
	  "TOPIC p.a" R "|TOPIC p.x" R "|TOPIC *" R, "", false },
	{ { "", "", "", NULL, 1 }, { { "a", "x" } }, "TOPIC a" R "|TOPIC b" R, "TOPIC x" R "|TOPIC b" R, "", false },
	/* a prefix, as long as it says the same */
	{ { "p.", "", "", NULL, 2 }, { { "a1", "p.a1" }, { "b", "p.b" } }, "TOPIC a+" R "|TOPIC b+" R,
	  "TOPIC p.a+" R "|TOPIC p.b+" R, "", false },
	{ { "p.", "", "", NULL, 2 }, { { "a1", "p.b1" }, { "c", "p.c" } }, "TOPIC a+" R "|TOPIC b+" R "|TOPIC c+" R,
	  "TOPIC p.c+" R, "TOPIC a+" R "|TOPIC b+" R, false },
	{ { "", ".c", "", NULL, 1 }, { { "a", "a.c" } }, "TOPIC a+" R "|TOPIC a" R, "TOPIC a.c" R, "TOPIC a+" R, false },
	/* groups, and what has no other name */
	{ { "p.", "", "p.", NULL, 0 }, { { NULL } }, "GROUP g" R "|GROUP h+" R "|GROUP *" R "|TRANSACTIONAL_ID t" R,
	  "GROUP p.g" R "|GROUP p.h+" R "|GROUP *" R "|TRANSACTIONAL_ID t" R, "", false },
	{ { "p.", "", "", NULL, 0 }, { { NULL } }, "GROUP g" R, "GROUP g" R, "", false },
};

START_TEST(acls_go_by_the_names_that_things_have_here)
{
	const struct names_case *c = &names_cases[_i];
	struct acl_names names = c->names;
	json_t *in = acls(c->acls), *refused = json_array(), *out;
	char text[1000];

	names.mirrors = c->mirrors;
	out = acl_names_translate(&names, in, refused);
	ck_assert_str_eq(shown(out, text, sizeof(text)), c->made);
	ck_assert_str_eq(shown(refused, text, sizeof(text)), c->refused);
	ck_assert_int_eq(acl_names_differ(&names), !c->same);
	json_decref(in);
	json_decref(out);
	json_decref(refused);
}
END_TEST

TCase *acl_plan_tests(void)
{
	TCase *tc = tcase_create("acl_plan");

	tcase_add_loop_test(tc, acls_go_by_the_names_that_things_have_here, 0, ARRAY_LEN(names_cases));
	tcase_add_loop_test(tc, acls_stand_as_at_the_source_but_for_writing, 0, ARRAY_LEN(cases));
	tcase_add_test(tc, another_link_s_mirror_is_not_written_to_either);
	return tc;
}
