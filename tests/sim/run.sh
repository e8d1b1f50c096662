#!/bin/sh
# SPDX-License-Identifier: Apache-2.0
# What `make check` runs of the simulator; SIM_SEEDS and SIM_FROM in the environment for more.
exec "$top_builddir/tests/sim/sim" --seeds "${SIM_SEEDS:-100}" --from "${SIM_FROM:-1}"
