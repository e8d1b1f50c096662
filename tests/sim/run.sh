#!/bin/sh
# SPDX-License-Identifier: Apache-2.0
# What `make check` runs of the simulator; SIM_SEEDS and SIM_FROM in the environment for more. Then stories that once went
# wrong and are like no others:
#   882792   an end was recorded, and the log emptied, between the asking for a lane anew and its opening
set -e
"$top_builddir/tests/sim/sim" --seeds "${SIM_SEEDS:-100}" --from "${SIM_FROM:-1}"
for seed in 882792; do
	"$top_builddir/tests/sim/sim" --seeds 1 --from "$seed"
done
