#!/bin/sh
# SPDX-License-Identifier: MIT
#
# run.sh BUILD: libxenevtchn.so.1 in the place of Debian's.  Prints TAP.
#
# The symbols are compared with those of Debian's library; programs that are
# compiled with Debian's header and linked with Debian's library are run with
# ours, as domains.  The cmocka programs of this folder are run, too.

. "$(dirname "$0")/../lib/tap.sh"

# --- cmocka, then the ABI -------------------------------------------------------

check_programs

check "libxenevtchn.so.1 needs libc and nothing else" \
	needs_libc_only libxenevtchn.so.1

if [ -z "$(debian libxenevtchn.so.1)" ] || ! [ -e /usr/include/xenevtchn.h ]; then
	skip "programs made for Debian's libxenevtchn" \
		"libxen-dev is not installed"
	finish
fi
check "symbols, versions and soname are Debian's" \
	same_abi libxenevtchn.so.1 12

# --- Debian's header and library to compile, ours to run ----------------------

compile()
{
	"$CC" -O1 -Wall -Wextra "$here/client.c" -lxenevtchn -o "$dir/client" &&
		"$CC" -O1 -Wall -Wextra "$here/restrict.c" -lxenevtchn \
			-lxentoolcore -o "$dir/restrict"
}
check "programs compile with Debian's header and library" compile

# talk MODE COUNT: domain 1 waits in that way, domain 2 calls.
talk()
{
	mkfifo "$dir/port.$1"
	as_domain 1 "$dir/client" "$1" 2 "$2" >"$dir/port.$1" &
	exec 3<"$dir/port.$1"
	read -r port <&3 || return 1
	as_domain 2 "$dir/client" call 1 "$port" "$2" || return 1
	read -r last <&3
	wait $! || return 1
	[ "$last" = "answered $2" ]
}
check "10,000 events each way, blocking in pending(): none lost" talk wait 10000
check "10,000 events each way, around poll(): none lost" talk poll 10000
check "xentoolcore_restrict_all() reaches our handles" \
	as_domain 1 "$dir/restrict"

# --- no system call ------------------------------------------------------------

# The receiver looks for as long as it takes; the sender is traced.
no_system_call()
{
	mkfifo "$dir/port.awake"
	EVTCHN_SPIN_US=1000000 as_domain 1 "$dir/client" take 2 \
		>"$dir/port.awake" &
	exec 3<"$dir/port.awake"
	read -r port <&3 || return 1
	as_domain 2 strace -o "$dir/trace" "$dir/client" burst 1 "$port" 1000 ||
		return 1
	wait $! || return 1
	awk '/getppid/ {marks++; next} marks == 1 {n++; print}
		END {print n + 0, "system calls"; exit marks != 2 || n >= 20}' \
		"$dir/trace"
}
if strace -o /dev/null true 2>/dev/null; then
	check "1,000 notifies to an awake receiver: fewer than 20 system calls" \
		no_system_call
else
	skip "no system call" "strace is not there, or not allowed"
fi

# --- the examples -----------------------------------------------------------------

# demonstrate GUEST ARGUMENT...: the guest's program, and dom0's.
demonstrate()
{
	mkfifo "$dir/port.$1"
	timeout 120 "$run" run --domain 1 -- "$build/bin/$@" >"$dir/port.$1" &
	exec 3<"$dir/port.$1"
	read -r _ _ port _ <&3 || return 1
	timeout 120 "$run" run --domain 0 -- \
		"$build/bin/notify_dom0_2010" receive 1 "$port" || return 1
	wait $! || return 1
	last=$(tail -n 1 <&3)
	echo "$last"
	[ "$last" = "[domU] dom0 answered" ]
}
check "the program of 2010 notifies dom0" demonstrate notify_dom0_2010 send
check "a guest without libraries does, too" demonstrate notify_dom0_bare

# --- installing -----------------------------------------------------------------

installed()
{
	env -u MAKEFLAGS -u MFLAGS -u MAKELEVEL make -s install BUILD="$build" \
		DESTDIR="$dir/stage" PREFIX=/opt/evtchn || return 1
	lib=$dir/stage/opt/evtchn/lib/evtchn
	export PKG_CONFIG_PATH="$lib/pkgconfig" PKG_CONFIG_SYSROOT_DIR="$dir/stage"
	for pc in xenevtchn xenctrl-2010; do
		flags=$(pkg-config --cflags --libs "$pc") || return 1
		echo "$flags"
	done
	# shellcheck disable=SC2086
	"$CC" examples/notify_dom0_2010.c -D_GNU_SOURCE $flags -o "$dir/installed" &&
		LD_LIBRARY_PATH=$lib "$dir/installed" --help &&
		"$CC" -x c++ -fsyntax-only $flags - <<-END
			#include <xenctrl_2010.h>
		END
}
if command -v pkg-config >/dev/null; then
	check "installed, pkg-config finds what a program needs" installed
else
	skip "pkg-config" "it is not installed"
fi

finish
