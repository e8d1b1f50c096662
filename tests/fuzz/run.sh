#!/bin/sh
# SPDX-License-Identifier: Apache-2.0
# What `make check` runs: every fuzz target over its corpus and the fixed mutations of it.
set -e
for target in codec batch; do
	"$top_builddir/tests/fuzz/fuzz_$target" "$top_srcdir/tests/fuzz/corpus/$target"
done
"$top_builddir/tests/fuzz/fuzz_rewrite" "$top_srcdir/tests/golden/batches"
