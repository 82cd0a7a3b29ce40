#!/bin/sh
# Checks RiseML on a machine with a GPU in less than five minutes, after its environment is installed:
#
#   benchmarks/gpu.sh [WHEELS]
#
# RiseML is installed into a new virtual environment, from the package index, or offline from the folder WHEELS.
# Jobs use the torch and jax of PYTHON (default: python3), or those that the index has. Without one of them, its
# checks are skipped. The exit status is 1 if a check misses its limit.
set -eu
cd "$(dirname "$0")/.."
python=${PYTHON:-python3}
wheels=${1-}
work=$(mktemp -d)
trap 'rm -rf "$work"' EXIT
trap 'exit 130' INT TERM
started=$(date +%s)

# pip_install VENV PACKAGE...
pip_install() {
  venv=$1
  shift
  if [ -n "$wheels" ]; then
    "$venv/bin/python" -m pip install -q --no-index --find-links "$wheels" "$@"
  else
    "$venv/bin/python" -m pip install -q --disable-pip-version-check "$@"
  fi
}

# offer MODULE PACKAGE: install a framework for jobs unless the machine has it.
offer() {
  "$work/jobs/bin/python" -c "import $1" 2> /dev/null && return
  [ -z "${GPU_CHECKS_OFFLINE-}" ] && pip_install "$work/jobs" "$2" || echo "$1 is not there and cannot be installed" >&2
}

if [ -n "${RISEML-}" ]; then
  riseml=$RISEML
else
  "$python" -m venv "$work/riseml"
  pip_install "$work/riseml" .
  riseml=$work/riseml/bin/riseml
fi
# Jobs find their Python first on the PATH, and it is not RiseML's own.
"$python" -m venv --system-site-packages "$work/jobs"
offer torch torch
offer jax 'jax[cuda12]'
echo "installed in $(($(date +%s) - started)) s"
echo

PATH=$work/jobs/bin:$PATH "${riseml%/*}/python" benchmarks/gpu_checks.py --riseml "$riseml" --work "$work"
