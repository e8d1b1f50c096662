#!/bin/sh
# SPDX-License-Identifier: Apache-2.0
# What `make check` runs: every fuzz target over its corpus and the fixed mutations of it.
set -e
for target in codec batch props jaas record; do
	"$top_builddir/tests/fuzz/fuzz_$target" "$top_srcdir/tests/fuzz/corpus/$target"
done
"$top_builddir/tests/fuzz/fuzz_rewrite" "$top_srcdir/tests/golden/batches"
# Slower ones: each input is a login with a password hashed thousands of times, or a connection.
"$top_builddir/tests/fuzz/fuzz_sasl" -60 "$top_srcdir/tests/fuzz/corpus/sasl"
"$top_builddir/tests/fuzz/fuzz_tls" -300 "$top_srcdir/tests/fuzz/corpus/tls"
