#!/bin/sh
# Fetches what the page takes from elsewhere, uPlot, into control/web/vendor/,
# and writes down what it is: control/vendor.sh [VERSION]. For whoever wants a
# newer one; building needs neither this nor npm.
set -eu
version=${1:-1.6.32}
cd "$(dirname "$0")/web/vendor"
tmp=$(mktemp -d)
trap 'rm -rf "$tmp"' EXIT
npm install --loglevel=error --no-audit --no-fund --ignore-scripts \
    --prefix "$tmp" "uplot@$version" >/dev/null
from=$tmp/node_modules/uplot
cp "$from/dist/uPlot.iife.min.js" "$from/dist/uPlot.min.css" .
cp "$from/LICENSE" uPlot.LICENSE.txt
cat >uPlot.txt <<END
uPlot $version, MIT (uPlot.LICENSE.txt), as npm has it; control/vendor.sh
fetches it anew. sha256:

$(sha256sum uPlot.LICENSE.txt uPlot.iife.min.js uPlot.min.css)
END
