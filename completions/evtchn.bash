# SPDX-License-Identifier: MIT
# Completion of evtchn for bash.  What there is to complete is what evtchn says
# with --help, so a new command or option is known at once.

_evtchn_commands()
{
	"$1" --help 2>/dev/null |
		sed -n '/^Commands:/,/^$/s/^  \([a-z][a-z-]*\) .*/\1/p'
}

_evtchn_options()
{
	"$1" "$2" --help 2>/dev/null | sed -n '/^  -/s/  *[^ -].*//p' |
		grep -o -e '--[a-z][a-z-]*'
}

_evtchn()
{
	local program=$1 word=${COMP_WORDS[COMP_CWORD]} words
	COMPREPLY=()
	if [ "$COMP_CWORD" -eq 1 ]; then
		words="$(_evtchn_commands "$program") --help --version"
	elif [ "${COMP_WORDS[1]}" = help ]; then
		words=$(_evtchn_commands "$program")
	elif [[ $word == -* ]]; then
		words=$(_evtchn_options "$program" "${COMP_WORDS[1]}")
	else
		return # a number, a name, or a file
	fi
	# shellcheck disable=SC2207
	COMPREPLY=($(compgen -W "$words" -- "$word"))
}

complete -o default -F _evtchn evtchn
