#!/bin/sh
# Serves conf/demo.json (or the configuration given second) in the foreground,
# in a run directory of its own, and says what to try. `make run` calls it.
# Ctrl-C stops cleanly.
set -eu
build=${1:-build}
cd "$(dirname "$0")/.."
conf=${2:-conf/demo.json}

dir=$(mktemp -d "${TMPDIR:-/tmp}/holdfast-try.XXXXXX")
trap 'rm -rf "$dir"' EXIT
"$build/holdfastd" -c "$conf" --run-dir "$dir" &
pid=$!
# a terminal sends INT to the daemon as well; whoever sends TERM means us
trap : INT
trap 'kill -TERM $pid' TERM

while [ ! -e "$dir/ready" ]; do
	if ! kill -0 $pid 2>/dev/null; then
		wait $pid || exit $?
		exit 1
	fi
	sleep 0.02
done

port=$(sed -n 's/^[^ ]* tcp .*:\([0-9]*\)$/\1/p' "$dir/ready" | head -n 1)
cat <<END

Serving $conf:
$(sed 's/^/    /' "$dir/ready")

Try, in another terminal and in this directory:

    mbpoll -m tcp -p $port -0 -1 -t 4 -r 0 -c 5 127.0.0.1     # read five registers
    mbpoll -m tcp -p $port -0 -1 -t 4 -r 0 127.0.0.1 42       # write one

    export HOLDFAST_CONTROL=ipc://$dir/control.sock
    $build/holdfast get hr:0+5           # the same ones, from the other side
    $build/holdfast set hr:1 7
    $build/holdfast get hr:100 ir:0      # a set point and a flow, as declared
    $build/holdfast watch registers      # every change, as it happens
    $build/holdfast status               # transports, their workers, their clients
    kill -9 \$(pgrep -P $pid -f 'holdfastd: tcp1')   # a worker dies; ask again at once
    $build/holdfast restart tcp1

Ctrl-C stops it.

END
code=0
while kill -0 $pid 2>/dev/null; do
	code=0
	wait $pid || code=$?
done
exit $code
