#!/bin/sh
# Train the grid of examples/digits on this machine, watch it, and show the results. Usage: demo.sh RISEML
# The home is in the checkout, so that a second demo reuses its environment and shows its history.
set -eu
riseml=$1
cd "$(dirname "$0")/digits"
RISEML_HOME=${DEMO_HOME:-$(cd ../.. && pwd)/.demo}
export RISEML_HOME

echo '$ riseml train' && "$riseml" train
id=$("$riseml" status -a -n 1 -o name)
echo
echo "\$ riseml status $id --watch" && "$riseml" status "$id" --watch
echo
echo "\$ riseml results $id --sort accuracy" && "$riseml" results "$id" --sort accuracy --max
