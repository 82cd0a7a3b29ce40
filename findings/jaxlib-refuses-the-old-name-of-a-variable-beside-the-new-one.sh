#!/usr/bin/env bash
# jaxlib 0.10.2: a GPU program fails if two names of one setting are set, and a program that sets the old one may not know.
#
# XLA_PYTHON_CLIENT_MEM_FRACTION, the name in JAX's documentation for years, says what part of a card's memory JAX takes when it starts. Its
# successor is XLA_CLIENT_MEM_FRACTION. The old name alone still works. With both, even if they agree, the options of the
# GPU backend cannot be made: ValueError. So whoever sets a default for others (a cluster's image, a job scheduler that
# shares cards) breaks the programs of users who have set the other name. The options are made without a GPU here, as
# the GPU backend makes them.
#
# Seen: with the old name, `memory_fraction` is 0.2; with the new one as well; with both, ValueError that names both.
set -euo pipefail
folder=$(mktemp -d)
trap 'rm -rf "$folder"' EXIT
cd "$folder"
python3 -m venv venv
venv/bin/pip install --quiet --disable-pip-version-check jaxlib==0.10.2 jax==0.10.2

cat > options.py << 'PYTHON'
import os

from jaxlib import xla_client

try:
    print(xla_client.generate_pjrt_gpu_plugin_options()["memory_fraction"])
except ValueError as error:
    names = ("XLA_CLIENT_MEM_FRACTION", "XLA_PYTHON_CLIENT_MEM_FRACTION")
    print("ValueError", all(name in str(error) for name in names))
PYTHON

old=$(env -u XLA_CLIENT_MEM_FRACTION XLA_PYTHON_CLIENT_MEM_FRACTION=0.2 venv/bin/python options.py)
new=$(env -u XLA_PYTHON_CLIENT_MEM_FRACTION XLA_CLIENT_MEM_FRACTION=0.2 venv/bin/python options.py)
both=$(XLA_PYTHON_CLIENT_MEM_FRACTION=0.2 XLA_CLIENT_MEM_FRACTION=0.2 venv/bin/python options.py)
echo "old name: $old; new name: $new; both: $both"
[ "$old" = 0.2 ] && [ "$new" = 0.2 ] || { echo "changed: one name alone does not work"; exit 1; }
[ "$both" = "ValueError True" ] || { echo "changed: both names work together"; exit 1; }
echo "as described"
