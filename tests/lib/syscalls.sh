# shellcheck shell=sh
# SPDX-License-Identifier: MIT
#
# What programs of tests/process ask the kernel for while they are "busy"; sourced
# after tap.sh.  Broker and program are traced; what lies between the two marks
# (getppid) of the one that sends is counted.

# shellcheck disable=SC2034,SC2154 # to and from who includes this
limit=20
broker=

at_end()
{
	[ -n "$broker" ] && kill "$broker" 2>/dev/null && wait "$broker"
}

# What was called, most often first.
said()
{
	cut -d ' ' -f 2- "$dir/between" | sort | uniq -c | sort -rn | head |
		sed 's/^/# /'
}

# trace_busy PROGRAM: sets sent and other, the calls of the sender and of the others.
trace_busy()
{
	if ! command -v strace >/dev/null ||
		! strace -o /dev/null true 2>/dev/null; then
		skip "$1" "strace is not installed, or not allowed here"
		finish
	fi
	mkfifo "$dir/ready"
	"$build/san/bin/evtchnd" --ready-fd 3 3>"$dir/ready" &
	broker=$!
	head -c1 "$dir/ready" >/dev/null
	ASAN_OPTIONS=detect_leaks=0 strace -f -o "$dir/trace" \
		"$build/test/process/$1" busy >"$dir/out"
	rc=$?
	# Lines are "pid call"; the sender is the one that calls getppid.
	awk '/getppid/ { marks++; if (marks == 1) sender = $1; next }
		marks == 1 {
			if ($1 == sender) sent++; else other++
			print > "/dev/stderr"
		}
		END { print marks + 0, sent + 0, other + 0 }' \
		"$dir/trace" >"$dir/count" 2>"$dir/between"
	read -r marks sent other <"$dir/count"
	sed 's/^/# /' "$dir/out"
	echo "# between the marks: $sent system calls of the sender, $other of others"
	[ "$rc" = 0 ] && [ "$marks" = 2 ]
	report $? "the program ran to its end under strace"
}

# few COUNT NAME
few()
{
	[ "$marks" = 2 ] && [ "$1" -lt "$limit" ]
	report $? "$2"
}
