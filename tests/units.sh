#!/bin/sh
# SPDX-License-Identifier: Apache-2.0
# What is installed for systemd and cron: systemd has nothing to say against its units (it must be there: else skipped),
# and cron's line has its fields and is a command for a shell.
set -u
src=${top_srcdir:-.} build=${top_builddir:-.}
tmp=$(mktemp -d) || exit 99
trap 'rm -rf "$tmp"' EXIT
status=0

fail() {
	echo "units: $*" >&2
	status=1
}

line=$(grep -v '^#' "$build/src/krmirror/drill/krmirror-drill.cron")
form='^([0-9*/,-]+ ){5}krmirror /[^ ]+/krmirror -c /[^ ]+ drill run --plan /[^ ]+ --report /[^ ]+ >/dev/null$'
echo "$line" | grep -Eq "$form" ||
	fail "no line for /etc/cron.d: $line"
case $line in
*%*) fail "cron ends a command at a per cent sign: $line" ;;
esac
echo "$line" | cut -d' ' -f7- >"$tmp/command"
sh -n "$tmp/command" || fail "no command: $line"

command -v systemd-analyze >/dev/null || { [ $status -eq 0 ] && exit 77; exit $status; }
# The programs need not be installed yet.
for unit in "$build/src/krmirrord/krmirrord.service" "$build/src/krmirror/drill/krmirror-drill@.service" \
	"$src/src/krmirror/drill/krmirror-drill@.timer"; do
	sed 's|^ExecStart=/[^ ]*|ExecStart=/bin/true|' "$unit" >"$tmp/${unit##*/}" || fail "there is no $unit"
done
said=$(cd "$tmp" && systemd-analyze verify --man=no ./krmirrord.service ./krmirror-drill@daily.service \
	./krmirror-drill@daily.timer 2>&1) || fail "systemd-analyze ends with $?"
[ -z "$said" ] || fail "systemd-analyze says: $said"
exit $status
