#!/bin/sh
# SPDX-License-Identifier: MIT
#
# run.sh [BUILD]: what `make install` leaves behind is enough to build with,
# and `make install` leaves nothing anywhere else.  Prints TAP.
#
# Everything is compiled with the installed headers and libraries and nothing
# of the source tree.  The code in docs/manual.md is held to the same: what it
# shows of embed_core.c is in embed_core.c, what it says that prints, prints.
#
# Environment: CC (cc).

set -u

build=${1:-build}
here=$(cd "$(dirname "$0")" && pwd)
cd "$here/../.." || exit 1
CC=${CC:-cc}
# Also when `make check` runs this: our make is not a part of that one.
unset MAKEFLAGS MFLAGS MAKELEVEL MAKEOVERRIDES DESTDIR PREFIX
cflags="-std=c11 -O1 -Wall -Wextra -Wpedantic -Wshadow -Wcast-align -Werror"

dir=$(mktemp -d) || exit 1
trap 'rm -rf "$dir"' EXIT
trap 'exit 1' HUP INT TERM
stage=$dir/stage
usr=$stage/usr
include=$usr/include/evtchn
log=$dir/log
. tests/lib/report.sh

# --- Helpers ---------------------------------------------------------------

# The files of the source tree; those in the build directory do not count.
list_tree()
{
	find . -path "./${build#./}" -prune -o -path ./.git -prune -o \
		-type f -print | sort
}

# code MARK N: the Nth code block of the manual after the comment <!-- MARK -->.
code()
{
	awk -v mark="<!-- $1 -->" -v wanted="$2" '
		/^```/ && inside { inside = 0; next }
		/^```/ && marked { inside = ++n == wanted; marked = 0; next }
		inside { print }
		$0 == mark { marked = 1 }
	' docs/manual.md
}

# --- Installing ------------------------------------------------------------

# Built already when `make check` runs us; then only the installing is tested.
if ! make -s BUILD="$build" all >"$log" 2>&1; then
	report 1 "the parts build"
	finish
fi
list_tree >"$dir/before"
touch "$dir/stamp"
check "make install succeeds" \
	make -s install BUILD="$build" DESTDIR="$stage" PREFIX=/usr
list_tree >"$dir/after"

check "it adds no file to the source tree" diff "$dir/before" "$dir/after"

# Named by path, because other programs may write to these places meanwhile.
elsewhere()
{
	(cd "$stage" && find . -type f) | sed 's/^\.//' | while read -r file; do
		if [ -n "$(find "$file" -newer "$dir/stamp" 2>/dev/null)" ]; then
			echo "$file"
		fi
	done
}
elsewhere >"$log"
! [ -s "$log" ]
report $? "it writes nothing outside DESTDIR"

# A manual page for each program and command; completion.
documents=$(
	echo share/man/man1/evtchn.1
	echo share/man/man8/evtchnd.8
	"$build/bin/evtchn" help | awk '/^Commands:/ {on = 1; next} /^$/ {on = 0}
		on && /^  [a-z]/ {print "share/man/man1/evtchn-" $1 ".1"}'
	echo share/bash-completion/completions/evtchn
	echo share/zsh/site-functions/_evtchn
)

missing()
{
	for file in bin/evtchn bin/evtchnd bin/evtchn-bench lib/libevc.a \
		lib/libevg.a lib/libevp.a $documents; do
		[ -s "$usr/$file" ] || echo "missing: $file"
	done
	for part in abi base core guest hosts/process; do
		(cd "$part/include" && find . -name '*.h') |
			while read -r header; do
				cmp "$part/include/$header" "$include/$header"
			done
	done
	find "$stage" -type f ! -name '*.h' ! -path '*/bin/*' \
		! -path '*/lib/*' | sed "s,^$usr/,," | grep -vxF "$documents"
}
missing >"$log" 2>&1
! [ -s "$log" ]
report $? "programs, libraries and all public headers are there, nothing else"

# --- Headers ---------------------------------------------------------------

headers=$(cd "$include" && find . -name '*.h' | sed 's,^\./,,' | sort)

# compile ARGUMENT...: with the flags of this test and the installed headers.
compile()
{
	# shellcheck disable=SC2086
	$CC $cflags -I"$include" "$@"
}

# A header may have macros only, but a C file may not be empty.
including()
{
	printf '#include <%s>\nextern int not_empty;\n' "$1"
}

alone()
{
	for header in $headers; do
		including "$header" | compile -fsyntax-only -x c - || return 1
	done
	[ -n "$headers" ]
}
check "every installed header compiles alone" alone

freestanding()
{
	for header in $headers; do
		case $header in
		evp/*) continue ;; # for programs
		esac
		including "$header" |
			compile -ffreestanding -nostdinc -fsyntax-only \
				-isystem "$($CC -print-file-name=include)" \
				-x c - || return 1
	done
}
check "all but evp/ compile without a C library" freestanding

# --- Embedding core/ -------------------------------------------------------

# Away from the source tree, so that nothing in it can be found by accident.
cp "$here/embed_core.c" "$dir/" || exit 1
embed()
{
	cd "$dir" || return 1
	compile -M embed_core.c >depends || return 1
	grep -oE '[^ ]*/(abi|base|evc)/[a-z_]+\.h' depends |
		grep -v "^$include/" && return 1
	compile embed_core.c "$usr/lib/libevc.a" -o embed_core
}
check "embed_core.c builds with the installed headers and libevc.a" embed
code "output of embed_core.c" 1 >"$dir/expected"
runs()
{
	"$dir/embed_core" >"$dir/printed" || return 1
	[ -s "$dir/expected" ] && diff "$dir/expected" "$dir/printed"
}
check "it runs and prints what the manual says" runs

# The lines of $1 stand in $2, one after the other.
contains()
{
	awk 'NR == FNR { part = part $0 "\n"; next } { all = all $0 "\n" }
		END { exit !(part != "" && index("\n" all, "\n" part)) }' \
		"$1" "$2"
}
quotes()
{
	total=$(grep -c '^<!-- embed_core.c -->' docs/manual.md)
	for i in $(seq "$total"); do
		code embed_core.c "$i" >"$dir/quote"
		contains "$dir/quote" "$here/embed_core.c" || {
			echo "block $i of the manual is not in embed_core.c:"
			cat "$dir/quote"
			return 1
		}
	done
	[ "$total" -gt 0 ]
}
check "what the manual shows of embed_core.c is in it" quotes

# --- Embedding guest/ ------------------------------------------------------

{ code guest 1; code guest 2; } >"$dir/guest.c"
guest()
{
	cd "$dir" && [ -s guest.c ] || return 1
	compile -ffreestanding -c guest.c -o guest.o || return 1
	# What it needs of the library is there.
	nm -u guest.o | awk '/ evg_/ {print $2}' | sort >needed
	nm -g --defined-only "$usr/lib/libevg.a" | awk '{print $3}' | sort >there
	[ -s needed ] && [ -z "$(comm -23 needed there)" ]
}
check "the manual's guest builds, and libevg.a has what it calls" guest

# --- The program -----------------------------------------------------------

version()
{
	cd / && env -i "$usr/bin/evtchn" --version >"$dir/version" || return 1
	cat "$dir/version"
	grep -qE '^evtchn [0-9]+\.[0-9]+\.[0-9]+$' "$dir/version"
}
check "evtchn --version runs from where it was installed" version

finish
