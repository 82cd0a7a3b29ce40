#!/bin/sh
# Train the grid of examples/digits on this machine, watch it, and show the results. Usage: demo.sh RISEML
# The home is in the checkout, so that a second demo reuses its environment and shows its history.
set -eu
riseml=$1
cd "$(dirname "$0")/digits"
RISEML_HOME=${DEMO_HOME:-$(cd ../.. && pwd)/.demo}
export RISEML_HOME

if [ -d "$RISEML_HOME/envs" ]; then
  echo 'The demo trains eight models of handwritten digits, two at a time, which takes about 20 seconds.'
else
  echo 'The demo trains eight models of handwritten digits, two at a time. Before that, RiseML installs scikit-learn for'
  echo 'them, as examples/digits/riseml.yml says. That takes about half a minute, and a second demo reuses it.'
fi
echo "It runs in $PWD, and keeps everything in $RISEML_HOME."
echo
echo '$ riseml train' && "$riseml" train
id=$("$riseml" status -a -n 1 -o name)
echo
echo "\$ riseml status $id --watch" && "$riseml" status "$id" --watch
echo
echo "\$ riseml results $id --sort accuracy" && "$riseml" results "$id" --sort accuracy --max
cat << END

To go on, paste the first line into your shell, and then any of the others:

    riseml() { RISEML_HOME='$RISEML_HOME' '$riseml' "\$@"; }; cd '$PWD'

    riseml status $id.3                                   # one experiment: its command, its result, its job
    riseml logs $id.3 --tail 5                            # what it printed
    riseml results $id --where 'accuracy > 0.9'           # the table, filtered
    riseml train lr=0.01 hidden=32,128 -l                # two more models, without an edit of riseml.yml
    riseml report $id -o '$RISEML_HOME/report.html'
    riseml diff $id                                       # what has changed in this folder since then
    riseml --help

README.md explains them. \`rm -r '$RISEML_HOME'\` removes what the demo has kept.
END
