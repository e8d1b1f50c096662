/* SPDX-License-Identifier: Apache-2.0 */
/* Input: a link.config. As a file and as the value of --config it parses, or is refused with the place; what parses is read
 * as the configuration of a link, or refused; and no reference leads to a file or a variable, as none is allowed. */
#include "fuzz.h"

#include "base/mem.h"
#include "control/link_conf.h"

#include <stdlib.h>
#include <string.h>

static void read_link(const struct props *props)
{
	struct secret_rules nothing = { .files_allowed = "", .env_allowed = "", .urls_allowed = "" };
	struct notes notes = { 0 };
	struct err err = { 0 };
	struct link_conf conf;
	int rc = link_conf_read(&conf, props, &notes, &err);

	CHECK(rc == RC_OK || err.text[0] != '\0');
	if (rc == RC_OK) {
		CHECK(conf.source.n_bootstrap > 0 || conf.inbound);
		rc = link_conf_secure(&conf, &nothing, &err);
		CHECK(rc == RC_OK || err.text[0] != '\0');
	}
	CHECK(strstr(err.text, "hushhush") == NULL && strstr(err.hint, "hushhush") == NULL);
	link_conf_fini(&conf);
	notes_fini(&notes);
}

static void check(const struct props *props)
{
	for (int i = 0; i < props->n; i++) {
		const struct prop *p = &props->items[i];

		CHECK(props_find(props, p->key) == p && p->value != NULL);
	}
	read_link(props);
}

int LLVMFuzzerTestOneInput(const uint8_t *data, size_t size)
{
	char *text = xstrndup((const char *)data, size);
	struct props file = { 0 }, inline_ = { 0 };
	struct err err = { 0 };

	setenv("KRMIRROR_FUZZ", "hushhush", 1);
	if (props_parse(&file, "fuzz", (const char *)data, size, &err) == RC_OK)
		check(&file);
	else
		CHECK(err.rc == RC_USAGE && strncmp(err.text, "fuzz:", 5) == 0);
	if (props_inline(&inline_, text, &err) == RC_OK)
		check(&inline_);
	props_fini(&file);
	props_fini(&inline_);
	xfree(text);
	return 0;
}
