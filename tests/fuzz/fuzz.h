/* SPDX-License-Identifier: Apache-2.0 */
#pragma once

#include <stddef.h>
#include <stdint.h>

/* The door that libFuzzer and the replay driver both use. */
int LLVMFuzzerTestOneInput(const uint8_t *data, size_t size);
