#!/bin/sh
# SPDX-License-Identifier: Apache-2.0
# The man pages say what the programs do: each command, option, alias, error word and configuration key of the program's
# own tables is in its page, and nothing else is. The tables come from `krmirror --list-commands`.
set -u
LC_ALL=C
export LC_ALL
man=${top_srcdir:-.}/man
krmirror=${KRMIRROR:-${top_builddir:-.}/krmirror}
tmp=$(mktemp -d) || exit 99
trap 'rm -rf "$tmp"' EXIT
status=0

fail() {
	echo "$*" >&2
	status=1
}

# same WHAT PAGE: $tmp/program and $tmp/page hold the same lines.
same() {
	sort -u "$tmp/program" >"$tmp/a"
	sort -u "$tmp/page" >"$tmp/b"
	[ -s "$tmp/a" ] || fail "$1: the program lists none"
	comm -23 "$tmp/a" "$tmp/b" | sed "s|^|$2: lacks $1: |" >"$tmp/diff"
	comm -13 "$tmp/a" "$tmp/b" | sed "s|^|$2: the program has no such $1: |" >>"$tmp/diff"
	if [ -s "$tmp/diff" ]; then
		cat "$tmp/diff" >&2
		status=1
	fi
}

# items PAGE SECTION: the .It lines below the .Sh or .Ss of that name, up to the next one.
items() {
	awk -v want="$2" '
		/^\.S[hs] / { name = $0; sub(/^\.S[hs] /, "", name); in_it = name == want }
		in_it && /^\.It / { print substr($0, 5) }' "$man/$1"
}

"$krmirror" --list-commands >"$tmp/list" || { echo "$krmirror --list-commands failed" >&2; exit 99; }
tab=$(printf '\t')

# Commands.
awk -F"$tab" '$1 == "command" { print $2 }' "$tmp/list" >"$tmp/program"
items krmirror.1 COMMANDS | sed -n 's/^Cm //p' | sed 's/ Ar .*//' >"$tmp/page"
same command krmirror.1

# Common options.
awk -F"$tab" '$1 == "option" && $2 == "" { print $3 (($4 != "") ? " -" $4 : "") }' "$tmp/list" >"$tmp/program"
items krmirror.1 'Common options' | awk '{
	letter = ""
	for (i = 1; i <= NF; i++) {
		if ($i == "Fl" && $(i + 1) == "Fl") { print "--" $(i + 2) letter; next }
		if ($i == "Fl") letter = " -" $(i + 1)
	}}' >"$tmp/page"
same "common option" krmirror.1

# The options of each command: "link create --config-file FILE". A section may be of several commands. `promote` is the
# short form of `mirror promote` and has its section; `status` has none and no options.
awk -F"$tab" '$1 == "option" && $2 != "" { print $2 " " $3 (($5 != "") ? " " $5 : "") }' "$tmp/list" >"$tmp/program"
for page in krmirror-link.1 krmirror-mirror.1 krmirror-verify.1; do
	awk '
		/^\.S[hs] / { n = split(substr($0, 5), commands, /, /) }
		/^\.It Fl Fl / {
			text = "--" $4
			for (i = 5; i <= NF; i++)
				if ($i == "Ar") text = text " " $(i + 1)
			for (i = 1; i <= n; i++) print commands[i] " " text
		}' "$man/$page"
done >"$tmp/page"
same option "krmirror-link.1, krmirror-mirror.1 or krmirror-verify.1"

# The page that the help of a command names has the command: a section of its own; `promote` is in that of `mirror promote`.
awk -F"$tab" '$1 == "command" { print $2 }' "$tmp/list" >"$tmp/program"
while read -r command; do
	page=$("$krmirror" $command --help </dev/null | sed -n 's/^man \([^ ]*\) has it in full\.$/\1/p')
	grep -q -e "^\.Ss \(.*, \)*\(mirror \)\{0,1\}$command\(,.*\)*\$" -e "^\.It Cm $command\$" "$man/$page.1" ||
		fail "krmirror $command --help names the page \"$page\", which does not have it"
done <"$tmp/program"

# Aliases, error words.
awk -F"$tab" '$1 == "alias" { print $2 }' "$tmp/list" >"$tmp/program"
awk '/^\.S[hs] / { in_it = $0 == ".Ss Aliases" } in_it && /^\.Fl Fl / { print "--" $3 }' "$man/krmirror.1" |
	grep -v -x -e --link -e --yes >"$tmp/page"
same alias krmirror.1
awk -F"$tab" '$1 == "error" { print $2 }' "$tmp/list" >"$tmp/program"
items krmirror.1 'JSON DOCUMENTS' >"$tmp/page"
same "error word" krmirror.1

# Configuration keys.
awk -F"$tab" '$1 == "key" && $2 == "link.config" { print $3 }' "$tmp/list" >"$tmp/program"
items krmirror-link.1 LINK.CONFIG | sed 's/^Cm //; s/ , Cm /\n/g' >"$tmp/page"
same key krmirror-link.1
awk -F"$tab" '$1 == "key" && $2 == "krmirror.properties" { print $3 }' "$tmp/list" >"$tmp/program"
sed -n 's/^\.It Cm //p' "$man/krmirror.properties.5" | sed 's/ Ar .*//; s/ , Cm /\n/g' >"$tmp/page"
same key krmirror.properties.5

# The pages are sound mdoc. References to pages that are not installed yet are no fault.
if command -v mandoc >/dev/null 2>&1; then
	for page in "$man"/*.[0-9]; do
		mandoc -T lint -W style "$page" 2>&1 | grep -v -e "referenced manual not found" -e "mandoc\.db" >"$tmp/lint"
		if [ -s "$tmp/lint" ]; then
			cat "$tmp/lint" >&2
			status=1
		fi
	done
else
	echo "mandoc is not installed: the pages were not linted" >&2
fi
exit $status
