#!/bin/sh
# SPDX-License-Identifier: MIT
#
# vchan.sh BUILD: Debian's libxenvchan on our libraries beside a Unix stream.
# It needs a xenstored, and that a port of domain 0: both are started here.

set -eu
build=$(realpath "${1:-build}")
cd "$(dirname "$0")/.."
tools=${XEN_TOOLS:-/usr/lib/xen-4.17/bin}
for file in "$tools/xenstored" /usr/include/libxenvchan.h; do
	[ -e "$file" ] && continue
	echo "  (no $file: no vchan; apt-get install xen-utils-4.17 libxen-dev)"
	exit 0
done
dir=$(mktemp -d)
unset EVTCHN_FD EVTCHN_DOMAIN EVTCHN_DEVICE EVTCHN_XEN_DIR LD_PRELOAD
export EVTCHN_SOCKET="$dir/sock" XENSTORED_RUNDIR="$dir" \
	XENSTORED_PATH="$dir/socket"
started=
cleanup()
{
	for pid in $started; do
		kill "$pid" 2>/dev/null && wait "$pid" 2>/dev/null || true
	done
	rm -rf "$dir"
}
trap cleanup EXIT

run="$build/bin/evtchn run --xen --domain 0 --"
${CC:-cc} -O2 bench/vchan.c -lxenvchan -o "$dir/vchan"
mkfifo "$dir/kernel"
$run "$build/bin/store_dom0" kernel >"$dir/kernel" &
started=$!
read -r word port <"$dir/kernel"
$run "$tools/xenstored" -N --internal-db >"$dir/log" 2>&1 &
started="$! $started"
for _ in $(seq 100); do
	[ -S "$dir/socket" ] && break
	sleep 0.1
done
xenstore-write /local/domain/0/domid 0
timeout 300 $run "$dir/vchan"
