#!/bin/sh
# SPDX-License-Identifier: MIT
#
# run.sh BUILD: libxengnttab.so.1 in the place of Debian's.  Prints TAP.
#
# The symbols are compared with those of Debian's library; programs that are
# compiled with Debian's header and linked with Debian's library are run with
# ours, as domains.  The cmocka programs of this folder are run, too.

. "$(dirname "$0")/../lib/tap.sh"

# --- cmocka, then the ABI -------------------------------------------------------

check_programs

check "libxengnttab.so.1 needs libc and nothing else" \
	needs_libc_only libxengnttab.so.1

if ! [ -e /usr/include/xengnttab.h ]; then
	skip "programs made for Debian's libxengnttab" \
		"libxen-dev is not installed"
	finish
fi
check "symbols, versions and soname are Debian's" \
	same_abi libxengnttab.so.1 20

check "libxenforeignmemory.so.1 needs libc and nothing else" \
	needs_libc_only libxenforeignmemory.so.1
check "and has Debian's symbols" same_abi libxenforeignmemory.so.1 9

# --- Debian's header and library to compile, ours to run ----------------------

compile()
{
	"$CC" -O1 -Wall -Wextra "$here/client.c" -lxengnttab -lxenevtchn \
		-o "$dir/client" &&
		"$CC" -O1 -Wall -Wextra "$here/restrict.c" -lxengnttab \
			-lxentoolcore -o "$dir/restrict" &&
		"$CC" -O1 -Wall -Wextra "$here/foreign.c" -lxengnttab \
			-lxenforeignmemory -o "$dir/foreign"
}
check "programs compile with Debian's headers and libraries" compile
check "each call, and its errors" as_domain 1 "$dir/client" calls 1

# ring HOW: domain 1 shares a ring, domain 0 uses it and goes in that way.
ring()
{
	mkfifo "$dir/ring.$1"
	as_domain 1 "$dir/client" guest 0 >"$dir/ring.$1" &
	exec 3<"$dir/ring.$1"
	read -r ref port <&3 || return 1
	as_domain 0 "$dir/client" backend 1 "$ref" "$port" "$1"
	status=$?
	case $1 in
	*kill) [ $status -eq 137 ] || return 1 ;;
	*) [ $status -eq 0 ] || return 1 ;;
	esac
	read -r last <&3
	wait $! || return 1
	[ "$last" = "backend is gone" ]
}
check "a backend that unmaps is noticed" ring unmap
check "one that closes its channel first is, too" ring close
check "one that is killed is, too" ring kill
check "one that closes its channel and is killed is, too" ring close-kill
check "xentoolcore_restrict_all() reaches our handles" \
	as_domain 1 "$dir/restrict"

check "domain 0 maps frames, within its limits" as_domain 0 "$dir/foreign" yes
check "another domain does not" as_domain 1 "$dir/foreign" no

# --- the example ----------------------------------------------------------------

# introspect DOMAIN PIECE: what it looks like from there.
introspect()
{
	rm -f "$dir/port"
	mkfifo "$dir/port"
	timeout 120 "$run" run --domain 1 -- "$build/bin/introspect" guest \
		>"$dir/port" &
	exec 3<"$dir/port"
	read -r _ _ ref _ port <&3 || return 1
	timeout 120 "$run" run --domain "$1" -- "$build/bin/introspect" dom0 1 \
		"$ref" "$port" "$2" >"$dir/seen" 2>&1
	status=$?
	cat "$dir/seen"
	[ $status -eq 0 ] || { kill $!; return 1; }
	wait $! || return 1
	last=$(cat <&3)
	echo "$last"
	[ "$last" = "[domU] dom0 has seen everything" ]
}

looks()
{
	introspect 0 greeting || return 1
	for how in "by grant" directly; do
		printf "[dom0] $how: hello%s\n" "" ", time 1" ", time 2" \
			", time 3" >"$dir/expected"
		grep "$how" "$dir/seen" | diff "$dir/expected" - || return 1
	done
	introspect 0 nothing && [ "$(grep -c 'no such piece' "$dir/seen")" = 8 ]
}
check "dom0 reads what the guest names, by grant and directly" looks

is_kept_out()
{
	! introspect 2 greeting && grep "waiting\|opening" "$dir/seen" &&
		! grep hello "$dir/seen"
}
check "another domain does not" is_kept_out

# --- nobody there -----------------------------------------------------------------

no_broker()
{
	! timeout 20 env -u EVTCHN_SOCKET XDG_RUNTIME_DIR="$dir" \
		LD_LIBRARY_PATH="$build/lib" "$dir/client" calls 1 \
		2>"$dir/said" &&
		grep "xengnttab: no broker at $dir/evtchnd.sock" "$dir/said"
}
check "without a broker: an error that says so" no_broker

# --- our header -------------------------------------------------------------------

own_header()
{
	"$CC" -O1 -Wall -Wextra -Werror -Iuser/include -Iabi/include \
		"$here/client.c" -L"$build/lib" -lxengnttab -lxenevtchn \
		-o "$dir/own" && as_domain 1 "$dir/own" calls 1 &&
		"$CC" -x c++ -fsyntax-only -Iuser/include -Iabi/include - <<-END
		#include <xengnttab.h>
		#include <xenevtchn.h>
	END
}
check "the same with our header, also from C++" own_header

installed()
{
	env -u MAKEFLAGS -u MFLAGS -u MAKELEVEL make -s install BUILD="$build" \
		DESTDIR="$dir/stage" PREFIX=/opt/evtchn || return 1
	lib=$dir/stage/opt/evtchn/lib/evtchn
	export PKG_CONFIG_PATH="$lib/pkgconfig" PKG_CONFIG_SYSROOT_DIR="$dir/stage"
	flags=$(pkg-config --cflags --libs xengnttab xenevtchn) || return 1
	# shellcheck disable=SC2086
	"$CC" "$here/client.c" $flags -o "$dir/installed" &&
		timeout 120 "$run" run --domain 1 -- \
			env LD_LIBRARY_PATH="$lib" "$dir/installed" calls 1
}
if command -v pkg-config >/dev/null; then
	check "installed, pkg-config finds what a program needs" installed
else
	skip "pkg-config" "it is not installed"
fi

finish
