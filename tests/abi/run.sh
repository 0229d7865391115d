#!/bin/sh
# SPDX-License-Identifier: MIT
#
# run.sh [BUILD]: compares our ABI headers with those of Xen; prints TAP.
#
# Each side's headers are compiled to a table of numbers (items.def), the
# tables are cut out of the objects and compared.  Nothing is run but the
# comparer, so 32-bit and Arm layouts need no runtime of theirs.  Our side of
# a layout is compiled at both widths: it may not depend on the compiler's.
#
# Environment: CC (gcc), CLANG (clang), CXX (g++), XEN_INCLUDE (/usr/include),
# CI (true: a missing tool or header is a failure, not a skip).

set -u

here=$(cd "$(dirname "$0")" && pwd)
root=$(cd "$here/../.." && pwd)
out=${1:-build}/tests/abi
CC=${CC:-gcc}
CLANG=${CLANG:-clang}
CXX=${CXX:-g++}
xen_include=${XEN_INCLUDE:-/usr/include}
ci=${CI:-false}
abi_headers=$root/abi/include/abi

# --- Prerequisites ---------------------------------------------------------

# give_up SKIP-REASON FAILURE: the whole test cannot run.
give_up()
{
	if [ "$ci" = true ]; then
		echo "1..1"
		echo "not ok 1 - $2"
		exit 1
	fi
	echo "1..0 # SKIP $1"
	exit 0
}

[ -f "$xen_include/xen/event_channel.h" ] ||
	give_up "libxen-dev is not installed (apt-get install libxen-dev)" \
		"libxen-dev missing under CI"

case $($CC -dumpmachine) in
x86_64-*) ;;
*) give_up "needs an x86-64 compiler" "no x86-64 compiler under CI" ;;
esac

mkdir -p "$out/xen_include" || exit 1
out=$(cd "$out" && pwd)
lines=$out/lines
log=$out/log
: >"$lines"
# Xen's headers and nothing else of the directory they live in.
rm -f "$out/xen_include/xen"
ln -s "$xen_include/xen" "$out/xen_include/xen"

# --- Helpers ---------------------------------------------------------------

# report STATUS NAME: one TAP line; on failure with the log below it.
report()
{
	if [ "$1" -eq 0 ]; then
		echo "ok - $2" >>"$lines"
	else
		echo "not ok - $2" >>"$lines"
		sed 's/^/# /' "$log" >>"$lines"
	fi
}

# skip NAME REASON: a skip, or under CI a failure.
skip()
{
	if [ "$ci" = true ]; then
		echo "not ok - $1: $2 under CI" >>"$lines"
	else
		echo "ok - $1 # SKIP $2" >>"$lines"
	fi
}

# compile COMPILER...: freestanding, without any system header.
compile()
{
	"$@" -ffreestanding -nostdinc \
		-isystem "$("$1" -print-file-name=include)" \
		-I"$root/abi/include" -Wall -Wextra >"$log" 2>&1
}

# table OBJCOPY NAME SOURCE COMPILER...: builds NAME.bin.
table()
{
	objcopy=$1 name=$2 source=$3
	shift 3
	compile "$@" -std=c11 -Werror -isystem "$out/xen_include" \
		-c "$here/$source" -o "$out/$name.o" &&
		"$objcopy" -O binary -j .abi_table "$out/$name.o" \
			"$out/$name.bin" >"$log" 2>&1
}

# diff_tables LABEL OURS THEIRS: adds the lines that compare prints.
diff_tables()
{
	"$out/compare" "$1" "$out/$2.bin" "$out/$3.bin" >"$log" 2>&1
	status=$?
	if [ $status -le 1 ]; then
		cat "$log" >>"$lines"
	else
		report $status "$1"
	fi
}

# --- Headers on their own --------------------------------------------------

check_header()
{
	compile "$CC" -std=c11 -Werror -fsyntax-only -x c "$1" &&
		compile "$CC" -m32 -std=c11 -Werror -fsyntax-only -x c "$1"
	report $? "${1##*/} compiles alone"
	if command -v "$CXX" >/dev/null; then
		compile "$CXX" -Werror -fsyntax-only -x c++ "$1"
		report $? "${1##*/} compiles as C++"
	else
		skip "${1##*/} compiles as C++" "no $CXX"
	fi
	if command -v "$CLANG" >/dev/null; then
		compile "$CLANG" -std=c11 -Werror -fsyntax-only -x c "$1"
		report $? "${1##*/} compiles with clang"
	else
		skip "${1##*/} compiles with clang" "no $CLANG"
	fi
}

for header in "$abi_headers"/*.h; do
	check_header "$header"
done

for width in -m64 -m32; do
	compile "$CC" $width -std=c11 -Werror -c "$root/abi/abi_assert.c" \
		-o "$out/abi_assert.o"
	report $? "abi_assert.c compiles with $width"
done

# --- Completeness of items.def ---------------------------------------------

# unlisted HEADER...: macros of these headers that items.def does not name.
unlisted()
{
	sed -n 's/^#define[[:space:]]\{1,\}\([A-Za-z0-9_]*\).*/\1/p' "$@" |
		grep -v -e '^ABI_' | while read -r macro; do
			grep -qw -e "$macro" "$here/items.def" ||
				echo "$macro is not in items.def"
		done
}

unlisted "$abi_headers"/*.h >"$log"
[ ! -s "$log" ]
report $? "items.def names every macro of our headers"

echo '#define XEN_ENOTLISTED 1' >"$out/mutant.h"
unlisted "$out/mutant.h" >"$log"
[ "$(cat "$log")" = "XEN_ENOTLISTED is not in items.def" ]
report $? "self-check: a macro missing from items.def is found"

# unlisted_tags HEADER...: structures that items.def does not name.
unlisted_tags()
{
	sed -n 's/^struct \([a-z0-9_]*\) {$/\1/p' "$@" |
		sed -e 's/_32$//' -e 's/_arm$//' | sort -u |
		while read -r tag; do
			grep -q -e "^STRUCT\(_W\)\{0,1\}($tag)" \
				"$here/items.def" ||
				echo "struct $tag is not in items.def"
		done
}

unlisted_tags "$abi_headers"/*.h >"$log"
[ ! -s "$log" ]
report $? "items.def names every structure of our headers"

# --- The comparison --------------------------------------------------------

"$CC" -std=c11 -Wall -Wextra -Werror -o "$out/compare" "$here/compare.c" \
	>"$log" 2>&1
report $? "compare.c compiles"

# compare_x86 LAYOUT THEIR-WIDTH LABEL
compare_x86()
{
	table objcopy "theirs$1" theirs.c \
		"$CC" "$2" "-DABI_LAYOUT=ABI_LAYOUT_$1"
	status=$?
	[ $status -eq 0 ] || { report $status "$3: Xen's table"; return; }
	for width in -m64 -m32; do
		table objcopy "ours$1$width" ours.c \
			"$CC" $width "-DABI_LAYOUT=ABI_LAYOUT_$1"
		status=$?
		if [ $status -eq 0 ]; then
			diff_tables "$3, ours with $width" \
				"ours$1$width" "theirs$1"
		else
			report $status "$3: our table with $width"
		fi
	done
}

compare_x86 64 -m64 "64-bit x86"
compare_x86 32 -m32 "32-bit x86"

# compare_arm TARGET LABEL: by clang, which needs no cross toolchain.
compare_arm()
{
	for side in theirs ours; do
		table llvm-objcopy "$side-$1" $side.c \
			"$CLANG" "--target=$1" -DABI_LAYOUT=ABI_LAYOUT_ARM
		status=$?
		[ $status -eq 0 ] ||
			{ report $status "$2: table $side"; return; }
	done
	diff_tables "$2" "ours-$1" "theirs-$1"
}

if command -v "$CLANG" >/dev/null && command -v llvm-objcopy >/dev/null; then
	compare_arm aarch64-linux-gnu "64-bit Arm"
	compare_arm arm-linux-gnueabihf "32-bit Arm"
else
	skip "Arm layouts" "no clang or no llvm-objcopy"
fi

# --- Self-checks: the comparer must see what is wrong ----------------------

# mutant NUMBER EXPECTED: exactly this diagnostic, in exactly one group.
mutant()
{
	table objcopy "mutant$1" ours.c "$CC" -m64 -DABI_LAYOUT=ABI_LAYOUT_64 \
		"-DABI_TEST_BREAK=$1" || { report 1 "mutant $1"; return; }
	"$out/compare" mutant "$out/mutant$1.bin" "$out/theirs64.bin" >"$log"
	[ $? -eq 1 ] && [ "$(grep -c '^not ok' "$log")" = 1 ] &&
		[ "$(sed -n 's/^# .*: ours/&/p' "$log")" = "# $2" ]
	report $? "self-check: reports only '$2'"
}

mutant 1 "EVTCHNOP_send: ours 40, Xen's 4"
mutant 2 "struct evtchn_bind_vcpu.vcpu offset: ours 0, Xen's 4"
mutant 3 "struct evtchn_reset size: ours 4, Xen's 2"
mutant 4 "struct evtchn_unmask.port size: ours 2, Xen's 4"

# refuses NAME FILE: compare must not call this a success.
refuses()
{
	"$out/compare" mutant "$2" "$out/theirs64.bin" >"$log" 2>&1
	[ $? -eq 2 ]
	report $? "self-check: refuses $1"
}

: >"$out/empty.bin"
refuses "an empty table" "$out/empty.bin"
head -c 1000 "$out/theirs64.bin" >"$out/cut.bin"
refuses "a truncated table" "$out/cut.bin"
refuses "a table of another layout" "$out/theirs32.bin"

# --- Result ----------------------------------------------------------------

awk '
	/^(not )?ok - / { count++ }
	/^(not )?ok - / && !/# SKIP/ && /^not/ { failed = 1 }
	{ line[NR] = $0 }
	END {
		print "1.." count
		for (i = 1; i <= NR; i++) {
			if (line[i] ~ /^(not )?ok - /)
				sub(/ok - /, "ok " ++number " - ", line[i])
			print line[i]
		}
		exit failed
	}
' "$lines"
