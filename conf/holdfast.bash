# bash completion for holdfast(1) and holdfastd(8); installed as
# share/bash-completion/completions/holdfast. The names are the daemon's, asked
# for as the key is pressed.

_holdfast() {
	local line=${COMP_LINE:0:COMP_POINT} word candidate head
	local -a words
	COMPREPLY=()
	# at blanks alone: an address has colons in it
	IFS=$' \t\n' read -ra words <<<"$line"
	[[ $line == *[[:blank:]] ]] && words+=("")
	word=${words[${#words[@]} - 1]}
	# what readline replaces begins behind the last such character
	[[ $COMP_WORDBREAKS == *:* && $word == *:* ]] && head=${word%"${word##*:}"}
	while IFS= read -r candidate; do
		[[ $candidate == *[:/=] ]] && compopt -o nospace 2>/dev/null
		COMPREPLY+=("$(printf %q "${candidate#"$head"}")")
	done < <("${COMP_WORDS[0]}" --complete "${words[@]:1}" 2>/dev/null)
}

# what holdfastd(8) itself says of its options
_holdfastd() {
	local word=${COMP_WORDS[COMP_CWORD]} last=${COMP_WORDS[COMP_CWORD - 1]}
	case $last in
	--log) COMPREPLY=($(compgen -W "error warn info debug" -- "$word")) ;;
	--log-format) COMPREPLY=($(compgen -W "text json" -- "$word")) ;;
	*)
		[[ $word == -* ]] || return
		COMPREPLY=($(compgen -W "$("${COMP_WORDS[0]}" --help 2>/dev/null |
			grep -o -e '--[a-z-]*')" -- "$word"))
		;;
	esac
}

complete -o default -F _holdfastd holdfastd

# no names of ours: those of files, as for import
complete -o default -F _holdfast holdfast
