#!/bin/sh
# SPDX-License-Identifier: MIT
#
# run.sh BUILD: Debian's Xen programs, as they are, on our libraries.  Prints TAP.
#
# The C xenstored serves domain 0 and a guest, is replaced while both go on, and
# hears of the guest's death; vchan-socket-proxy carries 64 MiB between them;
# xen-lowmemd waits for its VIRQ; a split driver connects through the store.
#
# Environment: XEN_TOOLS, where xenstored is (/usr/lib/xen-4.17/bin);
# XENSTORE_TOOLS, where xenstore-read is (/usr/bin).

. "$(dirname "$0")/../lib/tap.sh"

tools=${XEN_TOOLS:-/usr/lib/xen-4.17/bin}
store_tools=${XENSTORE_TOOLS:-/usr/bin}
unset EVTCHN_XEN_DIR LD_LIBRARY_PATH LD_PRELOAD
export XENSTORED_RUNDIR="$dir" XENSTORED_PATH="$dir/socket"
started=

# stop PID...: what this script started, and nothing else.
stop()
{
	for pid in "$@"; do
		kill "$pid" 2>/dev/null && wait "$pid" 2>/dev/null
	done
	return 0
}

at_end()
{
	exec 7>&-
	# shellcheck disable=SC2086
	stop $started
}

# check NAME COMMAND...: not in a subshell, it may start something.
check()
{
	name=$1
	shift
	"$@" >"$dir/log" 2>&1
	report $? "$name"
}

for program in "$tools/xenstored" "$tools/vchan-socket-proxy" \
	"$tools/xen-lowmemd" "$store_tools/xenstore-read" \
	/usr/include/xenstore.h; do
	[ -e "$program" ] && continue
	skip "$program is not there" \
		"apt-get install xen-utils-4.17 xenstore-utils libxen-dev"
	finish
done

# as N PROGRAM ARGUMENT...: a program made for Xen, as domain N.
as()
{
	n=$1
	shift
	timeout 500 "$run" run --xen --domain "$n" -- "$@" 7>&-
}

# launch N PROGRAM ARGUMENT...: the same in the background, as process $!, with
# its output in $OUT.
launch()
{
	n=$1
	shift
	timeout 500 "$run" run --xen --domain "$n" -- "$@" >"$OUT" 2>&1 7>&- &
	started="$started $!"
}

# until COMMAND...: it comes true.  Whoever waits in vain is told by the log.
until_true()
{
	for _ in $(seq 600); do
		"$@" >/dev/null 2>&1 && return 0
		sleep 0.05
	done
	echo "still not: $*"
	return 1
}

# xs TOOL ARGUMENT...: a store program of domain 0; xs1: of domain 1.
xs()
{
	tool=$1
	shift
	timeout 120 "$store_tools/xenstore-$tool" "$@" 7>&-
}

xs1()
{
	XENSTORED_PATH=$dir/domU xs "$@"
}

# --- the store ------------------------------------------------------------------

start_kernel()
{
	mkfifo "$dir/kernel"
	OUT=$dir/kernel launch 0 "$build/bin/store_dom0" kernel
	read -r word port <"$dir/kernel"
	[ "$word" = port ] && [ "$(as 0 cat /proc/xen/xsd_port)" = "$port" ]
}

start_store()
{
	OUT=$dir/store.log launch 0 sh -c 'echo $$ >'"$dir"'/pid
		exec '"$tools"'/xenstored -N --internal-db'
	until_true xs exists /tool
}

# What a toolstack does when it has built domain 1.
build_guest()
{
	xs write /local/domain/1/domid 1 /local/domain/1/data "" \
		/local/domain/1/device/vdisk/0 "" \
		/local/domain/0/backend/vdisk/1/0 "" &&
		xs chmod -r /local/domain/1 n1 &&
		xs chmod -r /local/domain/0/backend/vdisk/1 n0 r1
}

# Its standard input is descriptor 7: it ends when that is closed.
start_guest()
{
	rm -f "$dir/guest" "$dir/life"
	mkfifo "$dir/guest" "$dir/life"
	timeout 500 "$run" run --domain 1 -- "$build/bin/store_domU" \
		"$dir/domU" <"$dir/life" >"$dir/guest" &
	guest=$!
	started="$started $guest"
	exec 7>"$dir/life"
	read -r word port <"$dir/guest"
	[ "$word" = port ] && build_guest &&
		"$build/bin/store_dom0" introduce 1 "$port"
}

check "a port for the store, as dom0's kernel has one" start_kernel
check "xenstored starts, and answers domain 0" start_store
check "a guest is introduced by grant 1 and its port" start_guest

# Relative paths are below its own directory, where alone it may write.
guest_has_its_rights()
{
	xs1 write data/greeting "from domain 1" || return 1
	[ "$(xs read /local/domain/1/data/greeting)" = "from domain 1" ] ||
		return 1
	xs write /local/domain/1/data/answer "from domain 0" || return 1
	[ "$(xs1 read data/answer)" = "from domain 0" ] || return 1
	xs write /tool/secret 1 || return 1
	! xs1 read /tool/secret && ! xs1 write /tool/own 1 &&
		! xs exists /tool/own
}
check "the guest reads and writes through ring and events, where it may" \
	guest_has_its_rights

# Values longer than the ring, so both sides wait for room.
long_values()
{
	value=$(head -c 2000 /dev/zero | tr '\0' x)
	for i in 1 2 3 4 5; do
		xs1 write "data/long" "$i$value" || return 1
		[ "$(xs1 read data/long)" = "$i$value" ] || return 1
	done
}
check "values longer than the ring" long_values

test_store()
{
	timeout 200 "$tools/test-xenstore" -i "$1" 7>&-
}
check "Xen's test-xenstore, as domain 0" test_store 100
XENSTORED_PATH=$dir/domU check "test-xenstore through the ring, as domain 1" \
	test_store 50

seen_by_lsevtchn()
{
	as 0 "$tools/lsevtchn" 0 >"$dir/ports" || return 1
	cat "$dir/ports"
	grep 'Interdomain (Connected) - Remote Domain 1, Port' "$dir/ports"
}
check "lsevtchn shows the store's channel to the guest" seen_by_lsevtchn

# --- live update -----------------------------------------------------------------

# -U is what xenstored adds when it executes itself.
update()
{
	xs write /tool/before 1 || return 1
	timeout 200 "$tools/xenstore-control" live-update "$tools/xenstored" \
		7>&- || return 1
	tr '\0' ' ' <"/proc/$(cat "$dir/pid")/cmdline" | grep -e ' -U' &&
		[ "$(xs read /tool/before)" = 1 ]
}
check "live update: xenstored executes itself, and keeps what it knew" update

# A watch of before is told of what is written after.
watch_across_update()
{
	XENSTORED_PATH=$dir/domU timeout 120 "$store_tools/xenstore-watch" -n 2 \
		data/watched >"$dir/watched" 7>&- &
	watcher=$!
	until_true grep -q watched "$dir/watched" || return 1
	timeout 200 "$tools/xenstore-control" live-update "$tools/xenstored" \
		7>&- || return 1
	xs write /local/domain/1/data/watched now || return 1
	wait "$watcher" && cat "$dir/watched" &&
		[ "$(wc -l <"$dir/watched")" = 2 ]
}
check "a guest's watch is told of what changes after a live update" \
	watch_across_update

# The guest never stops asking; nothing may be lost or hang.
write_on()
{
	i=0
	while ! [ -e "$dir/enough" ]; do
		i=$((i + 1))
		xs1 write data/counter $i &&
			[ "$(xs1 read data/counter)" = $i ] || return 1
	done
	echo $i >"$dir/counted"
}
guest_during_updates()
{
	write_on 7>&- &
	writer=$!
	for _ in 1 2 3 4 5; do
		timeout 200 "$tools/xenstore-control" live-update \
			"$tools/xenstored" 7>&- || return 1
	done
	touch "$dir/enough"
	wait $writer || return 1
	cat "$dir/counted"
	[ "$(xs read /local/domain/1/data/counter)" = "$(cat "$dir/counted")" ]
}
check "a guest that reads and writes during five live updates" \
	guest_during_updates

# --- vchan -----------------------------------------------------------------------

# 4 connections, 16 MiB each, from domain 0 to domain 1.
vchan()
{
	head -c 16777216 /dev/urandom >"$dir/sent"
	mkfifo "$dir/ready"
	timeout 300 "$here/carry.py" serve "$dir/far" "$dir/1" "$dir/2" \
		"$dir/3" "$dir/4" >"$dir/ready" 7>&- &
	receiver=$!
	started="$started $receiver"
	exec 8<"$dir/ready"
	read -r word <&8 && [ "$word" = ready ] || return 1
	XENSTORED_PATH=$dir/domU OUT=$dir/server.log launch 1 \
		"$tools/vchan-socket-proxy" -m server -s data/state 0 \
		data/vchan "$dir/far"
	server=$!
	OUT=$dir/client.log launch 0 "$tools/vchan-socket-proxy" -m client \
		-s /tool/state 1 /local/domain/1/data/vchan "$dir/near"
	client=$!
	until_true test -S "$dir/near" || return 1
	for i in 1 2 3 4; do
		timeout 200 "$here/carry.py" send "$dir/near" "$dir/sent" \
			7>&- || return 1
		read -r word <&8 && [ "$word" = left ] || return 1
	done
	wait "$receiver" || return 1
	for i in 1 2 3 4; do
		cmp "$dir/sent" "$dir/$i" || return 1
	done
	stop $client $server
}
check "vchan-socket-proxy: 64 MiB in 4 connections, byte for byte" vchan

# --- a VIRQ ------------------------------------------------------------------------

# It blocks in pending() without asking for a descriptor.
lowmemd()
{
	OUT=$dir/lowmemd launch 0 stdbuf -oL "$tools/xen-lowmemd"
	waiter=$!
	until_true sh -c "$run ls | grep -E 'virq +12 .*xen-lowmemd'" ||
		return 1
	for i in 1 2 3; do
		"$run" debug-key enomem || return 1
		until_true lines_of "$dir/lowmemd" $i || return 1
	done
	cat "$dir/lowmemd"
	stop $waiter
}

lines_of()
{
	[ "$(grep -c 'free pages' "$1")" -ge "$2" ]
}
check "xen-lowmemd is woken by its VIRQ each time it is raised" lowmemd

# --- a split driver ------------------------------------------------------------------

split_driver()
{
	for half in front back; do
		"$CC" -D_GNU_SOURCE -O1 -Wall -Wextra -Wconversion -std=c11 \
			"examples/split_driver/$half.c" -lxenevtchn \
			-lxengnttab -lxenstore -o "$dir/$half" || return 1
	done
	OUT=$dir/back.log launch 0 "$dir/back"
	back=$!
	XENSTORED_PATH=$dir/domU as 1 "$dir/front" || return 1
	wait "$back" || return 1
	cat "$dir/back.log"
	grep -x 'back end: 1024 requests in .*' "$dir/back.log"
}
check "a split driver finds its other half through the store" split_driver

# --- death ----------------------------------------------------------------------------

# Told by VIRQ_DOM_EXC, the store asks what became of the domain.
death()
{
	timeout 120 "$store_tools/xenstore-watch" -n 2 @releaseDomain \
		>"$dir/released" 7>&- &
	watcher=$!
	until_true grep -q releaseDomain "$dir/released" || return 1
	exec 7>&-
	wait $guest
	wait $watcher || return 1
	cat "$dir/released"
	[ "$(wc -l <"$dir/released")" = 2 ] || return 1
	"$run" ls >"$dir/ports"
	cat "$dir/ports"
	! grep -E 'interdomain +1:' "$dir/ports"
}
check "a guest that dies is released, its channel closed" death
check "another guest with its number is introduced" start_guest
check "and has its rights" guest_has_its_rights
check "live update after all that" update

# --- a killed broker ------------------------------------------------------------------

# Pages in which the broker $1 has to clear a byte.
bytes_of()
{
	grep -c memfd:evtchn-grant "/proc/$1/maps"
}

has_bytes() # NUMBER: the broker has so many, and is another one than $old
{
	now=$(cat "$dir/sock.pid") && [ -n "$now" ] && [ "$now" != "$old" ] &&
		[ "$(bytes_of "$now")" = "$1" ]
}

# The client of a vchan is killed after the broker was: the server hears of it.
vchan_after_broker()
{
	rm -f "$dir/ready" "$dir/far" "$dir/near"
	mkfifo "$dir/ready" "$dir/held"
	timeout 300 "$here/carry.py" keep "$dir/far" >"$dir/ready" 7>&- &
	keeper=$!
	started="$started $keeper"
	exec 8<"$dir/ready"
	read -r word <&8 && [ "$word" = ready ] || return 1
	XENSTORED_PATH=$dir/domU OUT=$dir/server.log launch 1 \
		"$tools/vchan-socket-proxy" -m server -s data/state 0 \
		data/vchan "$dir/far"
	OUT=$dir/client.log launch 0 sh -c 'echo $$ >'"$dir"'/client
		exec '"$tools"'/vchan-socket-proxy -m client -s /tool/state 1 \
			/local/domain/1/data/vchan '"$dir/near"
	until_true test -S "$dir/near" || return 1
	timeout 200 "$here/carry.py" hold "$dir/near" >"$dir/held" 7>&- &
	started="$started $!"
	read -r word <"$dir/held" && [ "$word" = held ] || return 1
	old=$(cat "$dir/sock.pid")
	n=$(bytes_of "$old")
	echo "$n pages with a byte to clear"
	[ "$n" -ge 2 ] && kill -9 "$old" && until_true has_bytes "$n" || return 1
	kill -9 "$(cat "$dir/client")"
	read -r word <&8 && [ "$word" = left ] && wait "$keeper"
}
check "a vchan whose client is killed after the broker was" vchan_after_broker
finish
