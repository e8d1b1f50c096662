/* SPDX-License-Identifier: Apache-2.0 */
#include "mirror/fill.h"

#include "wire/kerr.h"
#include "wire/msg/kerr_codes.h"

enum fill_verdict fill_judge(const struct fill_answer *a)
{
	const struct kerr *kerr = kerr_find(a->code);

	if (!a->answered)
		return FILL_DOUBT;
	if (a->code == KERR_CLUSTER_AUTHORIZATION_FAILED)
		return FILL_NO_RIGHT;
	if (a->code != KERR_NONE)
		return kerr->action == KERR_STOP && kerr->stored == KERR_STORED_NO ? FILL_REFUSED : FILL_DOUBT;
	if (a->n == 1)
		return FILL_PROVEN;
	return a->log_end == a->expected && a->high_watermark == a->expected ? FILL_PROVEN : FILL_DOUBT;
}

enum fill_beyond fill_judge_beyond(int64_t log_end, int64_t fill_end_max, bool others_wrote)
{
	if (fill_end_max < 0 || log_end <= fill_end_max)
		return BEYOND_NOT;
	return others_wrote ? BEYOND_OTHER_OWNER : BEYOND_DIVERGED;
}
