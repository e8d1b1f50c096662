/* SPDX-License-Identifier: Apache-2.0 */
/* Behaviour: the table of handlers. A version that is not served gets a version 0 answer with 35 and the range of
 * this API alone, so that the client can ask again.
 * Version notes: 3 software name and version (42 when they are not made of letters, digits, '-' and '.'); no features
 * are told. */
#include "sandbox/handlers.h"
#include "wire/msg/api_versions.h"

static bool letter_or_digit(char c)
{
	return (c >= 'a' && c <= 'z') || (c >= 'A' && c <= 'Z') || (c >= '0' && c <= '9');
}

static bool software_ok(struct str s)
{
	if (s.len < 1 || !letter_or_digit(s.data[0]) || !letter_or_digit(s.data[s.len - 1]))
		return false;
	for (int32_t i = 0; i < s.len; i++)
		if (!letter_or_digit(s.data[i]) && s.data[i] != '-' && s.data[i] != '.')
			return false;
	return true;
}

static void tell(struct api_version_range *out, const struct handler *handler)
{
	out->api_key = handler->api->key;
	out->min_version = handler->min;
	out->max_version = handler->max;
}

enum handled api_versions_handle(struct request *req)
{
	const struct api_versions_request *body = request_body(req, api_versions);
	struct api_versions_response *answer = request_answer(req, api_versions);
	int n;
	const struct handler *handlers = handler_table(&n);

	if (req->fault != KERR_NONE) {
		answer->error_code = req->fault;
		return HANDLED;
	}
	if (req->version >= 3 && !(software_ok(body->client_software_name) &&
				   software_ok(body->client_software_version))) {
		answer->error_code = KERR_INVALID_REQUEST;
		return HANDLED;
	}
	request_items(req, &answer->api_keys, api_version_range, n);
	for (int i = 0; i < n; i++)
		tell(&answer->api_keys.items[i], &handlers[i]);
	return HANDLED;
}

enum handled api_versions_unserved(struct request *req)
{
	struct api_versions_response *answer = request_alloc(req, sizeof(*answer));

	req->version = 0;
	req->answer = answer;
	msg_default(req->api->response, answer);
	answer->error_code = KERR_UNSUPPORTED_VERSION;
	request_items(req, &answer->api_keys, api_version_range, 1);
	tell(&answer->api_keys.items[0], req->handler);
	return HANDLED;
}
