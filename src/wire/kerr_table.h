/* SPDX-License-Identifier: Apache-2.0 */
/* The generated rows behind kerr_find, from code -1 on without a hole. */
#pragma once

#include "wire/kerr.h"

extern const struct kerr kerr_table[];
extern const int kerr_table_n;
