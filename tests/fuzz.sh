#!/bin/sh
# Fuzz targets: tests/fuzz.sh BUILD SECONDS NAME...
# Each tests/NAME.c runs SECONDS over workers/proto and the sources that its
# line "Needs:" names, from the seeds of tests/corpus.py, what lies in
# tests/corpus/NAME and what earlier runs found. The first failure ends it.
# With 0 SECONDS, as `make check` has it, it is built quickly and tries the
# seeds and a little of what follows from them, the same every time.
set -eu
cd "$(dirname "$0")/.."
[ $# -ge 2 ] || {
	echo "usage: tests/fuzz.sh BUILD SECONDS NAME..." >&2
	exit 64
}
o=$1
secs=$2
shift 2
passed=0
failed=0
how='-O1 -g'
limits="-max_total_time=$secs -print_final_stats=1"
[ "$secs" != 0 ] || {
	how=-O0
	limits='-runs=2000 -seed=1 -print_final_stats=1'
}
for name in "$@"; do
	dir=$o/fuzz/$name
	[ "$secs" != 0 ] || {
		dir=$dir/short
		rm -rf "$dir"
	}
	mkdir -p "$dir/corpus" "$dir/seeds"
	python3=/usr/bin/python3
	[ -x $python3 ] || python3=python3
	$python3 tests/corpus.py "$name" "$dir/seeds"
	needs=$(sed -n 's/^ \* Needs: //p' "tests/$name.c")
	# shellcheck disable=SC2086
	clang -std=gnu11 $how -I. -D_GNU_SOURCE -pthread \
	    -fsanitize=fuzzer,address,undefined \
	    -fno-sanitize-recover=undefined -fno-omit-frame-pointer \
	    -o "$dir/$name" "tests/$name.c" workers/proto/*.c $needs
	kept=
	[ -d "tests/corpus/$name" ] && kept=tests/corpus/$name
	# shellcheck disable=SC2086
	if "$dir/$name" $limits -timeout=10 -max_len=4098 \
	    -artifact_prefix="$dir/crash-" \
	    "$dir/corpus" "$dir/seeds" $kept >"$dir/log" 2>&1; then
		passed=$((passed + 1))
		runs=$(sed -n 's/^stat::number_of_executed_units: *//p' \
		    "$dir/log")
		cov=$(sed -n 's/.*cov: \([0-9]*\).*/\1/p' "$dir/log" | tail -1)
		echo "$name: $runs runs, $cov edges, nothing found"
	else
		failed=$((failed + 1))
		echo "$name: FAILED; $dir/log ends:"
		tail -n 30 "$dir/log"
	fi
done
echo "$passed passed, $failed failed"
[ $failed = 0 ]
