#!/bin/sh
# Format: every C file as .clang-format says. `tests/tidy.sh fix` mends.
set -eu
cd "$(dirname "$0")/.."
files=$(git ls-files -co --exclude-standard '*.c' '*.h')
[ -n "$files" ] || exit 0
if [ "${1:-}" = fix ]; then
	clang-format -i $files
	exit 0
fi
bad=0
for f in $files; do
	[ -e "$f" ] || continue
	if ! clang-format "$f" | cmp -s - "$f"; then
		echo "$f: not as .clang-format has it; run tests/tidy.sh fix"
		bad=1
	fi
	case $f in
	tests/*) max=900 ;;
	*.h) max=150 ;;
	*) max=600 ;;
	esac
	# what clang-format leaves alone: comments, but for the list of files that
	# fuzz.sh reads off one line. Strings are as long as they must be.
	expand -t 8 "$f" | awk -v f="$f" '
	    length($0) <= 80 || / Needs: / { next }
	    /^ *(\/\*|\*)/ || (!/"/ && /[^ ] /) {
		print f ":" NR ": wider than 80 columns"
		bad = 1
	    }
	    END { exit bad }' || bad=1
	n=$(wc -l <"$f")
	if [ "$n" -gt "$max" ]; then
		echo "$f: $n lines; a table or a file is missing"
		bad=1
	fi
done
for m in $(git ls-files -co --exclude-standard '*.[1-8]'); do
	[ -e "$m" ] || continue
	mandoc -Tlint -Wwarning "$m" || bad=1
done
[ $bad = 0 ] && echo "tidy: fine"
exit $bad
