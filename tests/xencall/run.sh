#!/bin/sh
# SPDX-License-Identifier: MIT
#
# run.sh BUILD: libxencall.so.1 in the place of Debian's, `evtchn run --xen`, and
# Xen's own tools on our domains.  Prints TAP.
#
# Environment: XEN_TOOLS, where xl and lsevtchn are (/usr/lib/xen-4.17/bin).

. "$(dirname "$0")/../lib/tap.sh"

tools=${XEN_TOOLS:-/usr/lib/xen-4.17/bin}
unset EVTCHN_XEN_DIR LD_LIBRARY_PATH LD_PRELOAD

at_end()
{
	exec 8>&- 9>&-
}

# as N PROGRAM ARGUMENT...: a program made for Xen, as domain N.
as()
{
	n=$1
	shift
	timeout 400 "$run" run --xen --domain "$n" -- "$@" 8>&- 9>&-
}

# hold N: domain N is there until descriptor 9 is closed.
hold()
{
	timeout 400 "$run" run --domain "$1" -- \
		sh -c 'echo held; read -r _' <"$dir/hold" >"$dir/held.$1" \
		2>/dev/null 8>&- 9>&- &
}

# until_held N
until_held()
{
	read -r word <"$dir/held.$1" && [ "$word" = held ]
}

check_programs

# --- Xen's files ---------------------------------------------------------------

# paths PROGRAM...: by shell, cat and stat, none of which knows of Xen.
files_of_domain()
{
	as 0 cat /proc/xen/capabilities | grep -x control_d || return 1
	[ -z "$(as 1 cat /proc/xen/capabilities)" ] || return 1
	[ "$(as 0 stat -c %s /proc/xen/xsd_kva)" = 4096 ] || return 1
	as 0 sh -c 'test -f /dev/xen/privcmd && test -r /proc/xen/privcmd &&
		! test -e /proc/xen/xsd_port && ! test -e /dev/xen/evtchn &&
		! test -e /proc/xen/../0/capabilities &&
		! test -e /dev/xen/capabilities &&
		echo 7 >/proc/xen/xsd_port && [ "$(cat /proc/xen/xsd_port)" = 7 ]'
}
if [ -e /proc/xen ] || [ -e /dev/xen ]; then
	skip "Xen's files" "this machine has its own"
else
	check "Xen's files are there, for each domain its own" files_of_domain
fi

# A program that is not told of the directory sees what there is.
untold()
{
	as 0 env -u EVTCHN_XEN_DIR sh -c '! test -e /proc/xen/capabilities' &&
		as 0 sh -c 'test -e /proc/xen/capabilities'
}
check "without EVTCHN_XEN_DIR paths are left alone" untold

# The number of a port says nothing to another broker.
port_of_another_broker()
{
	as 0 sh -c 'echo 7 >/proc/xen/xsd_port
		'"$run"' run --xen --domain 0 -- cat /proc/xen/xsd_port' |
		grep -x 7 || return 1
	flock -w 5 "$dir/sock.pid" true # it is gone
	! as 0 cat /proc/xen/xsd_port
}
check "xsd_port goes with its broker" port_of_another_broker

environment()
{
	LD_LIBRARY_PATH=/a:/b LD_PRELOAD='' as 2 env >"$dir/env" || return 1
	cat "$dir/env"
	grep -x "LD_LIBRARY_PATH=$build/lib:/a:/b" "$dir/env" &&
		grep -x "LD_PRELOAD=$build/lib/libevtchn-paths.so" "$dir/env" &&
		grep -x "EVTCHN_XEN_DIR=$dir/sock.xen/2" "$dir/env" || return 1
	! "$run" run --domain 2 -- env | grep -E 'LD_|XEN_DIR'
}
check "run --xen sets what it says, plain run does not" environment

# Nobody else's file or directory is used.
foreign_directory()
{
	mkdir "$dir/other" "$dir/s" && ln -s "$dir/other" "$dir/s/sock.xen" ||
		return 1
	timeout 100 "$run" run --xen --socket "$dir/s/sock" -- true 2>"$dir/err"
	[ $? = 1 ] && grep -q "cannot make Xen's files in '$dir/s/sock.xen" \
		"$dir/err" && [ -z "$(ls "$dir/other")" ]
	status=$?
	[ -e "$dir/s/sock.pid" ] && flock -w 5 "$dir/s/sock.pid" true
	return $status
}
check "a directory that is a link is refused" foreign_directory

no_libraries()
{
	mkdir -p "$dir/bare/bin" && cp "$run" "$build/bin/evtchnd" \
		"$dir/bare/bin" || return 1
	timeout 100 "$dir/bare/bin/evtchn" run --xen -- true 2>"$dir/err"
	[ $? = 1 ] && grep -q 'libevtchn-paths.so is neither' "$dir/err"
}
check "run --xen without its libraries says so" no_libraries

# --- the ABI -----------------------------------------------------------------

check "the libraries need libc and nothing else" \
	needs_libc_only libxencall.so.1 libevtchn-paths.so

if [ -z "$(debian libxencall.so.1)" ] || ! [ -e /usr/include/xenctrl.h ]; then
	skip "programs made for Debian's libxencall and libxenctrl" \
		"libxen-dev is not installed"
	finish
fi
check "symbols, versions and soname are Debian's" same_abi libxencall.so.1 15

# Structures, as we and as Xen's headers lay them out.
same_layout()
{
	"$CC" -std=gnu11 -Wall -Wextra -Iabi/include -I. "$here/layout.c" \
		-o "$dir/layout.ours" &&
		"$CC" -std=gnu11 -DTHEIRS "$here/layout.c" \
			-o "$dir/layout.theirs" &&
		"$dir/layout.ours" >"$dir/ours" &&
		"$dir/layout.theirs" >"$dir/theirs" &&
		diff "$dir/theirs" "$dir/ours" &&
		[ "$(wc -l <"$dir/ours")" -gt 70 ]
}
check "the control interface is laid out as in Xen's headers" same_layout

# --- Debian's header and library to compile, ours to run ----------------------

compile()
{
	"$CC" -O1 -Wall -Wextra "$here/ctl.c" -lxenctrl -o "$dir/ctl" &&
		"$CC" -O1 -Wall -Wextra "$here/ports.c" -lxencall -lxenevtchn \
			-lxentoolcore -o "$dir/ports" &&
		"$CC" -O1 -Wall -Wextra "$here/nostore.c" -o "$dir/nostore"
}
check "programs compile with Debian's headers and libraries" compile
check "xentoolcore_restrict_all() takes libxencall's rights away" \
	as 0 "$dir/ports" restrict

# What is installed finds its own libraries.
installed()
{
	env -u MAKEFLAGS -u MFLAGS -u MAKELEVEL make -s install BUILD="$build" \
		DESTDIR="$dir/stage" PREFIX=/opt/evtchn || return 1
	lib=$dir/stage/opt/evtchn/lib/evtchn
	timeout 400 "$dir/stage/opt/evtchn/bin/evtchn" run --xen --domain 5 -- \
		sh -c 'echo "$LD_LIBRARY_PATH" && cat /proc/xen/capabilities' |
		grep -x "$lib" || return 1
	flags=$(PKG_CONFIG_PATH="$lib/pkgconfig" \
		PKG_CONFIG_SYSROOT_DIR="$dir/stage" \
		pkg-config --cflags --libs xencall) || return 1
	# shellcheck disable=SC2086
	"$CC" -D__XEN_TOOLS__ -x c - $flags -o "$dir/installed" <<-END || return 1
		#include <xencall.h>
		int main(void)
		{
			xencall_handle *h = xencall_open(0, 0);
			return !h || xencall2(h, 17, 0, 0) != 0x40011;
		}
	END
	LD_LIBRARY_PATH=$lib EVTCHN_DOMAIN=1 timeout 400 \
		"$dir/stage/opt/evtchn/bin/evtchn" run -- "$dir/installed"
}
if command -v pkg-config >/dev/null; then
	check "installed, it works, and pkg-config finds xencall" installed
else
	skip "pkg-config" "it is not installed"
fi

# With another user's broker: his directory is not ours to make files in.
foreign_broker()
{
	bin=$dir/stage/opt/evtchn/bin
	umask 022
	chmod 755 "$dir" && mkdir "$dir/run" &&
		mkdir -m 700 "$dir/xdg" && chown 65534 "$dir/xdg" || return 1
	echo 'allow user 65534 domain 3' >"$dir/policy"
	mkfifo "$dir/ready"
	timeout 400 "$bin/evtchnd" --socket "$dir/run/sock" \
		--policy "$dir/policy" --ready-fd 3 3>"$dir/ready" &
	head -c1 "$dir/ready" >/dev/null
	XDG_RUNTIME_DIR=$dir/xdg timeout 100 \
		setpriv --reuid=65534 --clear-groups "$bin/evtchn" run --xen \
		--socket "$dir/run/sock" --domain 3 -- \
		sh -c 'test -f /dev/xen/privcmd && echo "$EVTCHN_XEN_DIR"' |
		grep -x "$dir/xdg/evtchn.xen/3"
	status=$?
	kill $! && wait $!
	return $status
}
if [ "$(id -u)" = 0 ] && command -v setpriv >/dev/null; then
	check "run --xen with another user's broker" foreign_broker
else
	skip "run --xen with another user's broker" "needs root"
fi

mkfifo "$dir/hold" "$dir/ports.in" "$dir/ports.out" "$dir/held.1" "$dir/held.3"
exec 9<>"$dir/hold" 8<>"$dir/ports.in"
hold 1
hold 3
# The domain whose ports the rest looks at.
(
	exec 8>&- 9>&- # a function's redirections would keep copies
	as 0 "$dir/ports" <"$dir/ports.in" >"$dir/ports.out" 2>"$dir/ports.err"
) &
both_worlds()
{
	cat "$dir/ports.err"
	until_held 1 && until_held 3 && read -r word <"$dir/ports.out" &&
		[ "$word" = ready ]
}
check "libxencall sends on and closes ports of libxenevtchn's handles" \
	both_worlds

info()
{
	as 0 "$dir/ctl" info 0 | grep -x '0 vcpus 1 dying 0 running 1 blocked 0 pages 0' &&
		as 0 "$dir/ctl" info 3 | grep -x '3 vcpus 1 dying 0 running 0 blocked 1 pages 0' ||
		return 1
	as 0 "$dir/ctl" info 2
	[ $? = 3 ]
}
check "xc_domain_getinfo: domains that are there, and one that is not" info

lists()
{
	for how in list walk; do
		[ "$(as 0 "$dir/ctl" $how | tr '\n' ' ')" = "0 1 3 " ] || return 1
	done
}
check "xc_domain_getinfolist and xc_domain_getinfo list all domains" lists
check "xc_evtchn_alloc_unbound, xc_evtchn_status, and their errors" \
	as 0 "$dir/ctl" ports
check "xc_evtchn_reset" as 4 "$dir/ctl" reset
check "domain 1 may not ask about others, nor touch them" \
	as 1 "$dir/ctl" refused
check "xc_physinfo, xc_version; the rest is ENOSYS" as 0 "$dir/ctl" machine

# --- Xen's tools -------------------------------------------------------------------

if ! [ -x "$tools/lsevtchn" ] || ! [ -x "$tools/xl" ]; then
	skip "lsevtchn and xl" "xen-utils-4.17 is not installed"
	finish
fi

# The lines of evtchn ls, as lsevtchn words them.
as_lsevtchn()
{
	awk 'NR > 1 {
		split($5, peer, ":")
		what = "?"
		if ($4 == "unbound")
			what = "Interdomain (Waiting connection) - Remote Domain " peer[1]
		if ($4 == "interdomain")
			what = "Interdomain (Connected) - Remote Domain " peer[1] ", Port " peer[2]
		if ($4 == "virq")
			what = "Virtual IRQ " $5
		if ($4 == "ipi")
			what = "IPI"
		printf "%4d: VCPU %d: %s\n", $3, $6, what
	}'
}

ports_listed()
{
	as 0 "$tools/lsevtchn" 0 >"$dir/theirs" || return 1
	cat "$dir/theirs"
	"$run" ls --domain 0 | as_lsevtchn >"$dir/ours"
	diff "$dir/theirs" "$dir/ours" || return 1
	for kind in 'Waiting connection' Connected 'Virtual IRQ' IPI; do
		grep -q "$kind" "$dir/theirs" || return 1
	done
	# Of another domain: the port that ctl made there.
	as 0 "$tools/lsevtchn" 1 |
		grep -x ' *[0-9]*: VCPU 0: .*Waiting connection.*Domain 2'
}
check "lsevtchn shows what evtchn ls shows, for all kinds of ports" ports_listed

unprivileged_tool()
{
	! as 1 "$tools/lsevtchn" 0 | grep -q VCPU
}
check "lsevtchn in domain 1 shows nothing of domain 0" unprivileged_tool

# libxl asks a store for names: this one knows none.
xl_lists()
{
	export XENSTORED_PATH="$dir/store"
	mkfifo "$dir/store.in" "$dir/store.out"
	timeout 400 "$dir/nostore" "$XENSTORED_PATH" <"$dir/store.in" \
		>"$dir/store.out" 2>/dev/null 8>&- 9>&- &
	exec 7>"$dir/store.in"
	read -r word <"$dir/store.out" && [ "$word" = ready ] || return 1
	as 0 "$tools/xl" list >"$dir/list" || return 1
	exec 7>&-
	cat "$dir/list"
	wait $! || return 1
	awk 'NR > 1 {print $2, $4, $5}' "$dir/list" >"$dir/ours"
	printf '%s\n' '0 1 r-----' '1 1 -b----' '3 1 -b----' |
		diff - "$dir/ours"
}
check "xl list shows domains and states" xl_lists

python_module()
{
	PYTHONPATH=$(dirname "$tools")/lib/python as 0 python3 -c '
import xen.lowlevel.xc
xc = xen.lowlevel.xc.xc()
assert [d["domid"] for d in xc.domain_getinfo()] == [0, 1, 3]
assert xc.xeninfo()["xen_extra"] == "-evtchn"
port = xc.evtchn_alloc_unbound(3, 2)
assert port == 1, port
assert xc.evtchn_alloc_unbound(3, 2) == 2
'
}
check "python3 xen.lowlevel.xc" python_module

finish
