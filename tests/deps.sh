#!/bin/sh
# Layers: who may include whom. A wrong arrow fails.
set -eu
cd "$(dirname "$0")/.."
bad=0
check() { # folder pattern, allowed include pattern (extended regex)
	for f in $(git ls-files -co --exclude-standard "$1"); do
		[ -e "$f" ] || continue
		case $f in
		# the composition root: the program, and what implements holdfast.h
		supervisor/main.c | supervisor/api/hf_*.c) continue ;;
		esac
		sed -n 's/^#include "\(.*\)".*/\1/p' "$f" |
		    grep -Ev "^($2)" | while read -r inc; do
			echo "$f: must not include $inc"
		done
	done
}
out=$(
	check 'workers/proto/*.[ch]' 'workers/proto/'
	check 'shm/*.[ch]' 'shm/'
	for f in $(git ls-files -co --exclude-standard "supervisor/*.[ch]"); do
		case $f in supervisor/holdfast/*) continue ;; esac
		check "$f" "supervisor/|shm/|holdfast/"
	done
	for f in $(git ls-files -co --exclude-standard 'workers/*.[ch]'); do
		case $f in workers/proto/* | workers/plugins/*) continue ;; esac
		check "$f" 'workers/|shm/|supervisor/(conf|proc|near|holdfast)\.h'
	done
	# what programs include; it is installed as it lies here
	check 'supervisor/holdfast/*' '[a-z]*\.h$'
	# a plugin is somebody else's program
	check 'workers/plugins/*.[ch]' 'holdfast\.h|replay/replay\.h|replay\.h'
	check 'tests/plugins/*.[ch]' 'holdfast\.h'
	check 'control/*.[ch]' 'control/|shm/|workers/proto/|supervisor/(conf|ipc|near|proc)\.h'
)
if [ -n "$out" ]; then
	echo "$out"
	bad=1
fi
lua=$(pkg-config --cflags lua5.4 2>/dev/null || :)
for h in $(git ls-files -co --exclude-standard '*.h'); do
	[ -e "$h" ] || continue
	# Lua may not be there
	case $h in workers/lua/*) [ -n "$lua" ] || continue ;; esac
	cc -std=gnu11 -D_GNU_SOURCE -I. $lua -fsyntax-only -x c "$h" 2>/dev/null || {
		echo "$h: does not compile alone"
		bad=1
	}
done
[ $bad = 0 ] && echo "deps: fine"
exit $bad
