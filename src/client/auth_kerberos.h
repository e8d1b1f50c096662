/* SPDX-License-Identifier: Apache-2.0 */
/* Tickets from a keytab, kept in memory, so that nothing of the process's environment says who we are: two clusters may
 * want two principals. Only for client/. */
#pragma once

#include "client/auth.h"

/* What SASL_GSS_CREDS of libsasl2 takes. */
struct kerberos_creds;

/* For settings->principal, from settings->keytab. Asks the ticket server where no ticket is at hand, so it may block.
 * NULL with err set (RC_AUTH, with the library's reason). */
struct kerberos_creds *kerberos_creds_get(const struct auth_settings *settings, struct err *err);
void kerberos_creds_free(struct kerberos_creds *creds);   /* NULL is fine */
const void *kerberos_creds_handle(const struct kerberos_creds *creds);
