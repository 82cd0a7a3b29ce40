#!/usr/bin/env bash
# accelerate 1.15.0, torch 2.9.1, a machine without GPUs: under torchrun, every process trains alone, and nothing says so.
#
# `Accelerator()` connects to the other processes of torchrun's variables only if the machine has an accelerator, or if
# ACCELERATE_USE_CPU is true. Otherwise each process is number 0 of 1: each one trains on all the data, with gradients of its
# own, and writes the same files. torch.distributed, started by the same torchrun, connects them.
#
# Seen: `torchrun --nproc-per-node 2` prints `process 0 of 1` twice, and exits with 0. With ACCELERATE_USE_CPU=true it
# prints processes 0 and 1 of 2.
set -euo pipefail
folder=$(mktemp -d)
trap 'rm -rf "$folder"' EXIT
cd "$folder"
unset ACCELERATE_USE_CPU
export CUDA_VISIBLE_DEVICES=
python3 -m venv venv
venv/bin/pip install --quiet --disable-pip-version-check torch==2.9.1 accelerate==1.15.0 numpy

cat > train.py << 'PYTHON'
import os
from accelerate import Accelerator

state = Accelerator()
# One write for a line: the processes share the output.
os.write(1, f"process {state.process_index} of {state.num_processes}\n".encode())
PYTHON

processes() {
  env "$@" venv/bin/torchrun --standalone --nproc-per-node 2 train.py 2> errors | grep '^process' | sort | tr '\n' ';'
}

alone=$(processes A=1)
together=$(processes ACCELERATE_USE_CPU=true)
echo "torchrun: $alone"
echo "torchrun, ACCELERATE_USE_CPU=true: $together"
[ "$together" = "process 0 of 2;process 1 of 2;" ] || { echo "changed: the variable does not connect them"; exit 1; }
[ "$alone" = "process 0 of 1;process 0 of 1;" ] || { echo "changed: accelerate connects the processes"; exit 1; }
echo "as described"
