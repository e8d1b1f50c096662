/* SPDX-License-Identifier: Apache-2.0 */
/* A client of a sandbox without a network: what it asks is answered before it goes on. The simulator produces with it,
 * and looks into both logs. */
#pragma once

#include "base/arena.h"
#include "net.h"
#include "wire/codec.h"

struct talk {
	struct net_broker *broker;
	struct sandbox_client *client;
	struct arena arena;          /* of requests and responses, until talk_begin */
	struct bytes reply;
	int32_t correlation;
};

void talk_open(struct talk *talk, struct net_broker *broker);
void talk_close(struct talk *talk);
/* Forgets everything that was asked and answered. */
void talk_begin(struct talk *talk);

void *talk_alloc(struct talk *talk, size_t size);
/* A message with its defaults. */
void *talk_message(struct talk *talk, const struct msg_desc *desc);
void *talk_array(struct talk *talk, const struct msg_desc *desc, int32_t n);
#define talk_items(talk, field, label, count)                                                                         \
	((field)->n = (count), (field)->items = talk_array((talk), &label##_desc, (count)))
#define talk_request(talk, name) ((struct name##_request *)talk_message((talk), name##_api.request))
#define talk_call(talk, name, version, request)                                                                       \
	((const struct name##_response *)talk_ask((talk), &name##_api, (version), (request)))
void *talk_ask(struct talk *talk, const struct api_desc *api, int16_t version, const void *request);
