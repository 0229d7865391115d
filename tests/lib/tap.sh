# shellcheck shell=sh
# SPDX-License-Identifier: MIT
#
# What the run.sh of several folders share; sourced by them, with $1, the build
# directory.  They print TAP (report.sh).
#
#   build, run   the build directory, and its evtchn
#   here         the folder of the script; the working directory is the tree's
#   dir          a directory of its own, with the broker's socket, removed at the
#                end, after at_end(), which a script may define anew

set -u

build=$(realpath "${1:-build}")
here=$(cd "$(dirname "$0")" && pwd)
cd "$here/../.." || exit 1
CC=${CC:-cc}
dir=$(mktemp -d) || exit 1
run=$build/bin/evtchn
export EVTCHN_SOCKET="$dir/sock"
unset EVTCHN_FD EVTCHN_DOMAIN EVTCHN_DEVICE
. tests/lib/report.sh

at_end()
{
	:
}

# The broker that `evtchn run` started has a lock as long as it lives.
cleanup()
{
	at_end
	[ -e "$dir/sock.pid" ] && flock -w 5 "$dir/sock.pid" true
	rm -rf "$dir"
}
trap cleanup EXIT
trap 'exit 1' HUP INT TERM

# The cmocka programs of the folder, each of which is one line.
check_programs()
{
	for t in "$here"/test_*.c; do
		t=$(basename "$t" .c)
		check "$t" env CMOCKA_MESSAGE_OUTPUT=TAP timeout 400 \
			"$build/test/$(basename "$here")/$t"
	done
}

# as_domain N PROGRAM ARGUMENT...: a program made for Xen, with our libraries.
as_domain()
{
	n=$1
	shift
	timeout 120 "$run" run --domain "$n" -- \
		env LD_LIBRARY_PATH="$build/lib" "$@"
}

# --- a library in the place of Debian's -----------------------------------------

# debian LIBRARY: where it is; nothing: it is not installed.
debian()
{
	ldconfig -p | awk -v lib="$1" '$1 == lib {print $NF; exit}'
}

# Names with versions, the versions themselves, the soname.
abi()
{
	readelf -W --dyn-syms "$1" | awk '/@@VERS_| ABS VERS_/ {print $8}' |
		sort
	readelf -W -d "$1" | grep -o 'Library soname: .*'
	readelf -W -V "$1" | grep -oE 'Index: .*Name: VERS_.*|Parent [0-9]+: .*' | sort
}

# same_abi LIBRARY FUNCTIONS
same_abi()
{
	abi "$(debian "$1")" >"$dir/theirs" &&
		abi "$build/lib/$1" >"$dir/ours" &&
		diff "$dir/theirs" "$dir/ours" &&
		[ "$(grep -c @@VERS_ "$dir/ours")" = "$2" ]
}

# needs_libc_only LIBRARY...: no Xen library has to be there.
needs_libc_only()
{
	for lib; do
		readelf -W -d "$build/lib/$lib" | grep NEEDED &&
			! readelf -W -d "$build/lib/$lib" | grep NEEDED |
			grep -vE 'libc\.so|ld-linux' || return 1
	done
}
