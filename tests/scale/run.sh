#!/bin/sh
# SPDX-License-Identifier: MIT
#
# run.sh BUILD: as many domains and channels as one machine should carry.
# Prints TAP; what it took is in its comments.

set -u

build=$(realpath "${1:-build}")
export EVTCHND="$build/bin/evtchnd"

echo "1..3"
name="1,000 processes, 100,000 channels: each carries its event"
# Each process has a pipe in each direction, for its orders.
ulimit -n "$(ulimit -Hn)"
if timeout 580 "$build/test/scale/scale" 1000 100; then
	echo "ok 1 - $name"
else
	echo "not ok 1 - $name"
	exit 1
fi

# About a second; a broker that searches needs many times as long.
name="100,000 channels whose ends come back one after the other"
if timeout 40 "$build/test/scale/halves" 25 4000; then
	echo "ok 2 - $name"
else
	echo "not ok 2 - $name"
	exit 1
fi

name="12,000 ports of one endpoint: closed, without a broker, and back"
if timeout 280 "$build/test/scale/wide" 12000; then
	echo "ok 3 - $name"
else
	echo "not ok 3 - $name"
	exit 1
fi
