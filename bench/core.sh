#!/bin/sh
# The core's costs, beside the real Xen 4.17's.  Usage: core.sh BUILD_DIR
#
# Instructions are those inside the named function, counted by callgrind; they
# repeat.  Nanoseconds are medians of five runs and do not.  Where the figures
# of the real Xen come from: docs/performance.md.  Writes BUILD_DIR/bench/*.tsv,
# which bench/plots.gp draws.
set -eu
build=$1
core=$build/bench/core
out=$build/bench
have_valgrind=$(command -v valgrind || true)
[ -n "$have_valgrind" ] ||
	echo "(no valgrind: instructions are not counted; apt-get install valgrind)"

# instructions INSIDE PER COMMAND...: per operation, or "-" without valgrind
instructions() {
	inside=$1 per=$2
	shift 2
	[ -n "$have_valgrind" ] || { echo -; return; }
	valgrind --tool=callgrind --toggle-collect="$inside" \
		--callgrind-out-file=/dev/null "$@" 2>&1 >/dev/null |
		awk -v n="$per" '/Collected/ {printf "%.0f\n", $NF / n}'
}

# median COMMAND...: of five runs that print a number
median() {
	for _ in 1 2 3 4 5; do "$@"; done | sort -n | sed -n 3p
}

# ratio OURS THEIRS
ratio() {
	awk -v a="$1" -v b="$2" \
		'BEGIN {if (a == "-" || b == "-") print "-"; else printf "%.2f", a / b}'
}

# row NAME INSIDE CASE XEN_2L XEN_FIFO
row() {
	line=$(printf '  %-28s' "$1")
	for abi in 2l fifo; do
		xen=$([ $abi = 2l ] && echo "$4" || echo "$5")
		ns=$(median "$core" $abi "$3" 300000)
		n=$(instructions "$2" 1000 "$core" $abi "$3" 1000)
		line="$line$(printf ' %7s %6s %6s %6s  ' "$ns" "$n" "$xen" \
			"$(ratio "$n" "$xen")")"
	done
	echo "$line"
}

echo "core: one operation, called directly; Xen: the real 4.17, instructions"
printf '  %-28s %31s %31s\n' "" "2-level" "FIFO"
printf '  %-28s' ""
for _ in 1 2; do printf ' %7s %6s %6s %6s  ' ns instr Xen ratio; done
echo
row "send, pending already" evc_send pending 88 233
row "send, masked" evc_send masked 133 270
row "send, fresh" evc_send fresh 184 326
row "bind an IPI and close it" do_bind_close bind-close 310 374

# sizes ABI: how many ports
sizes() {
	[ "$1" = 2l ] && echo 64 256 1024 4000 || echo 64 256 1024 4000 16000 60000 131071
}

# Xen: cost of one more alloc_unbound with that many ports open (net).
xen_alloc() {
	case $1-$2 in
	2l-64) echo 3669 ;; 2l-4000) echo 228021 ;;
	fifo-64) echo 3461 ;; fifo-4000) echo 212042 ;;
	fifo-16000) echo 848042 ;; fifo-60000) echo 3180042 ;;
	*) echo - ;;
	esac
}

echo "core: per port, with N ports (Xen: one more port when there are N; a port of a reset)"
printf '  %-6s %8s %9s %9s %10s %12s %10s\n' \
	ABI N "fill, ns" "fill, ins" "Xen" "reset, ins" Xen
: >"$out/ports.tsv"
for abi in 2l fifo; do
	for n in $(sizes $abi); do
		fill=$(instructions do_fill "$n" "$core" $abi fill "$n")
		reset=$(instructions evc_reset "$n" "$core" $abi reset "$n")
		ns=$(median "$core" $abi fill "$n")
		xen=$(xen_alloc $abi "$n")
		printf '  %-6s %8s %9s %9s %10s %12s %10s\n' $abi "$n" "$ns" "$fill" \
			"$xen" "$reset" "$([ $abi = 2l ] && echo 140 || echo 154)"
		printf '%s\t%s\t%s\t%s\t%s\n' $abi "$n" "$fill" "$reset" "$xen" \
			>>"$out/ports.tsv"
	done
done

echo "guest: collecting, an event, with N pending at once"
printf '  %-6s %8s %9s %13s\n' ABI N ns instructions
: >"$out/collect.tsv"
"$out/collect" | while read -r name n ns; do
	rounds=$((20000 / n + 5))
	ins=$(instructions evg_upcall $((rounds * n)) "$out/collect" "$name" "$rounds")
	abi=${name%%-*}
	printf '  %-6s %8s %9s %13s\n' "$abi" "$n" "$ns" "$ins"
	printf '%s\t%s\t%s\t%s\n' "$abi" "$n" "$ins" "$ns" >>"$out/collect.tsv"
done

echo "core: sends of several threads, each on a channel of its own (millions a second)"
printf '  %-6s %-8s %10s %10s %10s\n' ABI event "1 thread" "2 threads" ratio
: >"$out/threads.tsv"
for abi in 2l fifo; do
	for event in pending fresh same; do # same: fresh, to one vCPU
		line=""
		for t in 1 2; do # more than CPUs say nothing
			ns=$(median "$core" $abi $t-$event 2000000)
			rate=$(awk -v ns="$ns" 'BEGIN {printf "%.1f", 1000 / ns}')
			line="$line $rate"
			printf '%s\t%s\t%s\n' $abi-$event $t "$rate" \
				>>"$out/threads.tsv"
		done
		# shellcheck disable=SC2086
		set -- $line
		printf '  %-6s %-8s %10s %10s %10s\n' $abi $event "$1" "$2" \
			"$(ratio "$2" "$1")"
	done
done
