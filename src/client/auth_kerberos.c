/* SPDX-License-Identifier: Apache-2.0 */
#include "client/auth_kerberos.h"

#include "base/crypto.h"
#include "base/mem.h"

#include <gssapi/gssapi.h>
#include <gssapi/gssapi_ext.h>
#include <gssapi/gssapi_krb5.h>
#include <string.h>

struct kerberos_creds {
	gss_cred_id_t handle;
};

/* The text of a status, added to what is there. */
static void add_status(char *text, size_t cap, OM_uint32 status, int type)
{
	OM_uint32 minor, more = 0;
	gss_buffer_desc part = GSS_C_EMPTY_BUFFER;
	size_t used = strlen(text);

	if (gss_display_status(&minor, status, type, GSS_C_NO_OID, &more, &part) != GSS_S_COMPLETE)
		return;
	snprintf(text + used, cap - used, "%s%.*s", used > 0 ? ": " : "", (int)part.length, (const char *)part.value);
	gss_release_buffer(&minor, &part);
}

static int fail(struct err *err, const struct auth_settings *s, OM_uint32 major, OM_uint32 minor)
{
	char text[300] = "";

	if (minor != 0)
		add_status(text, sizeof(text), minor, GSS_C_MECH_CODE);
	else
		add_status(text, sizeof(text), major, GSS_C_GSS_CODE);
	err_set(err, RC_AUTH, "no Kerberos ticket for %s from %s: %s", s->principal, s->keytab, text);
	return err_hint(err, "try: kinit -k -t %s %s", s->keytab, s->principal);
}

/* A cache of its own for each login: tickets are small, logins are few, and none outlives its principal. */
static int acquire(struct kerberos_creds *creds, const struct auth_settings *s, gss_name_t name, struct err *err)
{
	uint64_t number;
	char cache[48];
	gss_key_value_element_desc elements[] = { { "client_keytab", s->keytab }, { "ccache", cache } };
	gss_key_value_set_desc store = { ARRAY_LEN(elements), elements };
	gss_OID_set_desc krb5 = { 1, (gss_OID)(uintptr_t)gss_mech_krb5 };
	OM_uint32 major, minor;

	random_bytes(&number, sizeof(number));
	snprintf(cache, sizeof(cache), "MEMORY:krmirror-%016llx", (unsigned long long)number);
	major = gss_acquire_cred_from(&minor, name, GSS_C_INDEFINITE, &krb5, GSS_C_INITIATE, &store, &creds->handle, NULL,
				      NULL);
	return GSS_ERROR(major) ? fail(err, s, major, minor) : RC_OK;
}

struct kerberos_creds *kerberos_creds_get(const struct auth_settings *s, struct err *err)
{
	struct kerberos_creds *creds = xcalloc(1, sizeof(*creds));
	gss_buffer_desc text = { strlen(s->principal), s->principal };
	gss_name_t name = GSS_C_NO_NAME;
	OM_uint32 major, minor, unused;
	int rc;

	creds->handle = GSS_C_NO_CREDENTIAL;
	major = gss_import_name(&minor, &text, (gss_OID)(uintptr_t)GSS_KRB5_NT_PRINCIPAL_NAME, &name);
	rc = GSS_ERROR(major) ? fail(err, s, major, minor) : acquire(creds, s, name, err);
	gss_release_name(&unused, &name);
	if (rc == RC_OK)
		return creds;
	xfree(creds);
	return NULL;
}

void kerberos_creds_free(struct kerberos_creds *creds)
{
	OM_uint32 minor;

	if (creds == NULL)
		return;
	gss_release_cred(&minor, &creds->handle);
	xfree(creds);
}

const void *kerberos_creds_handle(const struct kerberos_creds *creds)
{
	return creds->handle;
}
