#!/bin/sh
# Makes C and assembler of a directory, for the page to be part of the program:
# embed.sh DIR OUT writes OUT.c, a table as control/http/assets.h has it, and
# OUT.S with what the files hold, as it is and compressed. Run by the Makefile.
set -eu
dir=$1
out=$2

type_of() {
	case $1 in
	*.html) echo 'text/html; charset=utf-8' ;;
	*.js | *.mjs) echo 'text/javascript; charset=utf-8' ;;
	*.css) echo 'text/css; charset=utf-8' ;;
	*.json | *.map) echo 'application/json' ;;
	*.webmanifest) echo 'application/manifest+json' ;;
	*.svg) echo 'image/svg+xml' ;;
	*.png) echo 'image/png' ;;
	*.ico) echo 'image/x-icon' ;;
	*.woff2) echo 'font/woff2' ;;
	*.txt | *.md) echo 'text/plain; charset=utf-8' ;;
	*) echo 'application/octet-stream' ;;
	esac
}

rm -rf "$out.d"
mkdir -p "$out.d"
{
	echo '	.section .note.GNU-stack,"",@progbits'
	echo '	.section .rodata'
} >"$out.S.new"
{
	echo '#include "control/http/assets.h"'
	echo '#define BYTES(n) extern const unsigned char asset##n[], asset##n##_gz[]'
} >"$out.c.new"
: >"$out.rows"
n=0
# the order of the C locale, so that the same files make the same program
for f in $(cd "$dir" && find . -type f ! -name '.*' | LC_ALL=C sort); do
	f=${f#./}
	gzip -9nc "$dir/$f" >"$out.d/$n.gz"
	hash=$(sha256sum "$dir/$f" | cut -c 1-16)
	for s in "asset$n:$dir/$f" "asset${n}_gz:$out.d/$n.gz"; do
		printf '\t.global %s\n\t.hidden %s\n%s:\n\t.incbin "%s"\n\t.byte 0\n' \
		    "${s%%:*}" "${s%%:*}" "${s%%:*}" "${s#*:}" >>"$out.S.new"
	done
	echo "BYTES($n) __attribute__((visibility(\"hidden\")));" >>"$out.c.new"
	printf '\t{ "/%s", "%s", "\\"%s\\"", asset%d, %d, asset%d_gz, %d },\n' \
	    "$f" "$(type_of "$f")" "$hash" $n "$(wc -c <"$dir/$f")" \
	    $n "$(wc -c <"$out.d/$n.gz")" >>"$out.rows"
	n=$((n + 1))
done
{
	echo 'const struct asset assets[] = {'
	cat "$out.rows"
	echo '};'
	echo 'const unsigned nassets = sizeof(assets) / sizeof(assets[0]);'
} >>"$out.c.new"
rm "$out.rows"
mv "$out.c.new" "$out.c"
mv "$out.S.new" "$out.S"
