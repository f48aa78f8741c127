#!/bin/sh
# Serves conf/demo.json (or the configuration given second) in the foreground,
# in a run directory of its own, and says what to try. `make run` calls it.
# Ctrl-C stops cleanly.
set -eu
build=${1:-build}
cd "$(dirname "$0")/.."
conf=${2:-conf/demo.json}

dir=$(mktemp -d "${TMPDIR:-/tmp}/holdfast-try.XXXXXX")
all=$dir
trap 'rm -rf "$all"' EXIT
"$build/holdfastd" -c "$conf" --run-dir "$dir" &
pid=$!
# somebody else's program may have the port of the page: another one will do
spare=
if grep -q '127\.0\.0\.1:8080"' "$conf" && [ "${conf%demo.json}" != "$conf" ]
then
	spare=$dir/demo.json
fi
# a terminal sends INT to the daemon as well; whoever sends TERM means us
trap : INT
trap 'kill -TERM $pid' TERM

while [ ! -e "$dir/ready" ]; do
	if ! kill -0 $pid 2>/dev/null; then
		code=0
		wait $pid || code=$?
		if [ $code != 69 ] || [ -z "$spare" ]; then
			exit $((code > 0 ? code : 1))
		fi
		echo "The page takes another port than 8080." >&2
		sed 's/127\.0\.0\.1:8080"/127.0.0.1:0"/' "$conf" >"$spare"
		"$build/holdfastd" -c "$spare" --run-dir "$dir/run" &
		pid=$!
		dir=$dir/run
		spare=
	fi
	sleep 0.02
done

# the port of the first transport of a type, nothing if there is none
port() {
	sed -n "s/^[^ ]* $1 .*:\([0-9]*\)\$/\1/p" "$dir/ready" | head -n 1
}
tcp=$(port tcp)
udp=$(port udp)
tls=$(port tls)
first=$(sed -n '1s/ .*//p' "$dir/ready")
page=$("$build/holdfast" -s "ipc://$dir/control.sock" -o json call system.info |
    sed -n 's/.*"http": *"\([^"]*\)".*/\1/p')

cat <<END

Serving $conf:
$(sed 's/^/    /' "$dir/ready")
${page:+
The page, for a browser:  $page
}
Try, in another terminal and in this directory:

END
[ -z "$tcp" ] || cat <<END
    mbpoll -m tcp -p $tcp -0 -1 -t 4 -r 0 -c 5 127.0.0.1     # read five registers
    mbpoll -m tcp -p $tcp -0 -1 -t 4 -r 0 127.0.0.1 42       # write one

END
[ -z "$udp" ] || cat <<END
    # the same five over UDP: a datagram out, a datagram in
    python3 -c 'import socket; s = socket.socket(type=2); s.settimeout(2); s.sendto(bytes.fromhex("0001 0000 0006 01 03 0000 0005"), ("127.0.0.1", $udp)); print(s.recv(260).hex(" "))'

END
[ -z "$tls" ] || cat <<END
    PORT=$tls python3 conf/certs/try.py viewer read 0 5    # over TLS, as who may read

END
cat <<END
    export HOLDFAST_CONTROL=ipc://$dir/control.sock
    $build/holdfast get hr:0+5           # the same ones, from the other side
    $build/holdfast set hr:1 7
END
[ "$conf" != conf/demo.json ] || cat <<END
    $build/holdfast get hr:100 ir:0      # a set point and a flow, as declared
END
cat <<END
    $build/holdfast watch registers      # every change, as it happens
    $build/holdfast status               # transports, their workers, their clients
    kill -9 \$(pgrep -P $pid -f 'holdfastd: $first\$')   # a worker dies; ask again at once
    $build/holdfast restart $first         # connections stay, as they do beside these:
    $build/holdfast reload               # once you have edited $conf
    $build/holdfast upgrade              # once you have built anew

Ctrl-C stops it.

END
code=0
while kill -0 $pid 2>/dev/null; do
	code=0
	wait $pid || code=$?
done
exit $code
