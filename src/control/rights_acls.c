/* SPDX-License-Identifier: Apache-2.0 */
/* The commands that grant rights, and what ACLs say of others. */
#include "control/rights.h"

#include "base/doc.h"
#include "base/mem.h"

#include <string.h>

/* --- commands ------------------------------------------------------------------------------------------------ */

static const char *taken(struct doc *t, struct arena *arena)
{
	const char *kept = arena_strdup(arena, t->data);

	xfree(t->data);
	return kept;
}

/* For a shell: in single quotes. */
static void put_quoted(struct doc *t, const char *word)
{
	doc_add(t, " '");
	for (const char *p = word; *p != '\0'; p++)
		doc_add(t, *p == '\'' ? "'\\''" : "%c", *p);
	doc_add(t, "'");
}

/* As kafka-acls spells it: DescribeConfigs. */
static void put_operation(struct doc *t, enum right_operation operation)
{
	bool first = true;

	doc_add(t, " --operation ");
	for (const char *p = right_operation_name(operation); *p != '\0'; p++) {
		if (*p != '_')
			doc_add(t, "%c", first ? *p : *p - 'A' + 'a');
		first = *p == '_';
	}
}

static void put_resource(struct doc *t, const struct right *right)
{
	static const char *const options[] = { "--cluster", "--topic", "--group", "--transactional-id" };

	doc_add(t, " %s", options[right->resource]);
	if (right->resource == RIGHT_CLUSTER)
		return;
	put_quoted(t, right->name[0] != '\0' ? right->name : "TOPIC");
	if (right->prefixed)
		doc_add(t, " --resource-pattern-type prefixed");
}

static bool one_thing(const struct right *a, const struct right *b)
{
	/* What can be left out is granted by itself. */
	return a == b || (a->side == b->side && a->resource == b->resource && a->needed && b->needed &&
			  strcmp(a->name, b->name) == 0);
}

const char *rights_command(const struct rights *rights, int *at, const struct rights_grantee *grantee,
			   struct arena *arena)
{
	const struct right *first = &rights->items[*at];
	struct doc t = { 0 };

	doc_add(&t, "kafka-acls --bootstrap-server");
	put_quoted(&t, grantee->bootstrap);
	if (grantee->secured)
		doc_add(&t, " --command-config admin.properties");
	doc_add(&t, " --add --allow-principal");
	put_quoted(&t, grantee->principal);
	for (; *at < rights->n && one_thing(first, &rights->items[*at]); (*at)++)
		put_operation(&t, rights->items[*at].operation);
	put_resource(&t, first);
	return taken(&t, arena);
}

/* --- others -------------------------------------------------------------------------------------------------- */

static bool writes(const struct admin_acl *acl)
{
	return strcmp(acl->operation, "WRITE") == 0 || strcmp(acl->operation, "ALL") == 0;
}

/* Whether the principal is denied from everywhere. */
static bool shut_out(const struct admin_acls *acls, const char *principal)
{
	for (int i = 0; i < acls->n; i++) {
		const struct admin_acl *acl = &acls->items[i];

		if (writes(acl) && strcmp(acl->permission, "DENY") == 0 && strcmp(acl->host, "*") == 0 &&
		    (strcmp(acl->principal, principal) == 0 || strcmp(acl->principal, "User:*") == 0))
			return true;
	}
	return false;
}

static bool told_before(const struct admin_acls *acls, int at)
{
	for (int i = 0; i < at; i++)
		if (writes(&acls->items[i]) && strcmp(acls->items[i].permission, "ALLOW") == 0 &&
		    strcmp(acls->items[i].principal, acls->items[at].principal) == 0)
			return true;
	return false;
}

const char *rights_writers(const struct admin_acls *acls, const char *principal, struct arena *arena)
{
	struct doc t = { 0 };

	for (int i = 0; i < acls->n; i++) {
		const struct admin_acl *acl = &acls->items[i];

		if (!writes(acl) || strcmp(acl->permission, "ALLOW") != 0 || strcmp(acl->principal, principal) == 0 ||
		    shut_out(acls, acl->principal) || told_before(acls, i))
			continue;
		doc_add(&t, "%s%s", t.len > 0 ? ", " : "", acl->principal);
		if (strcmp(acl->pattern, "LITERAL") != 0)
			doc_add(&t, " (%s %s)", strcmp(acl->pattern, "PREFIXED") == 0 ? "prefixed" : "pattern", acl->resource);
	}
	return t.data != NULL ? taken(&t, arena) : NULL;
}
