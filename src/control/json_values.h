/* SPDX-License-Identifier: Apache-2.0 */
/* Values of the documents that users read: of `-o json`, and of /status. */
#pragma once

#include <jansson.h>
#include <stdint.h>

/* Null for negative numbers: offsets, lags and ages that are not known. */
json_t *json_known(int64_t value);
/* Null for NULL. JSON cannot hold what is no UTF-8 (brokers may send it): then every byte beyond ASCII becomes '?'. */
json_t *json_text(const char *text);
