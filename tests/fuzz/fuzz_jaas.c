/* SPDX-License-Identifier: Apache-2.0 */
/* Input: a value of sasl.jaas.config. It parses, or is refused with a text that tells no value: those of the corpus all
 * hold the word "hushhush". */
#include "fuzz.h"

#include "base/mem.h"
#include "control/jaas.h"

#include <string.h>

int LLVMFuzzerTestOneInput(const uint8_t *data, size_t size)
{
	char *text = xstrndup((const char *)data, size);
	struct err err = { 0 };
	struct jaas jaas;
	int rc = jaas_parse(&jaas, text, &err);

	CHECK(rc == RC_OK || rc == RC_USAGE);
	if (rc == RC_OK) {
		CHECK(jaas.module != NULL && jaas.n_options >= 0);
		for (int i = 0; i < jaas.n_options; i++)
			CHECK(jaas_option(&jaas, jaas.options[i].name) != NULL);
	} else {
		CHECK(err.text[0] != '\0' && strstr(err.text, "hushhush") == NULL && strstr(err.hint, "hushhush") == NULL);
	}
	jaas_fini(&jaas);
	xfree(text);
	return 0;
}
