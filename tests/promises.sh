#!/bin/sh
# SPDX-License-Identifier: Apache-2.0
# tests/PROMISES: each promise has a proof that exists, or says what it waits for.
set -u
top=${top_srcdir:-.}
status=0

fail() {
	echo "tests/PROMISES: $*" >&2
	status=1
}

exists() {
	case $1 in
	test_*::test_*) grep -q "^def ${1#*::}(" "$top/tests/scenarios/${1%%::*}.py" 2>/dev/null ;;
	*.7) [ -f "$top/man/$1" ] && grep -q "\"$1\"" "$top/tests/scenarios/test_runbooks.py" ;;
	*/*) [ -f "$top/$1" ] ;;
	*) false ;;
	esac
}

n=0
while IFS='|' read -r promise proof; do
	case $promise in
	[0-9].[0-9]*) id=${promise%% *} n=$((n + 1)) ;;
	*) continue ;;
	esac
	[ -n "$proof" ] || fail "$id has no proof"
	case $proof in
	' waits: '*) continue ;;
	esac
	for name in $proof; do
		exists "$name" || fail "$id: there is no $name"
	done
done <"$top/tests/PROMISES"
# 0.1 to 0.15, 1.1 to 1.12, 2.1 to 2.12, 3.1 to 3.6
[ "$n" -eq 45 ] || fail "$n promises, not 45"
exit $status
