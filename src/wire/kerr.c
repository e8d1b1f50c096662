/* SPDX-License-Identifier: Apache-2.0 */
#include "wire/kerr.h"

#include "wire/kerr_table.h"

const struct kerr *kerr_find(int16_t code)
{
	static const struct kerr unknown = { -1, "UNKNOWN_CODE", KERR_PROBE, KERR_STORED_MAYBE,
					     "The broker answered a code that this version does not know." };
	int row = code + 1;

	return row >= 0 && row < kerr_table_n ? &kerr_table[row] : &unknown;
}
