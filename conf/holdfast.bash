# bash completion for holdfast(1); installed as
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

# no names of ours: those of files, as for import
complete -o default -F _holdfast holdfast
