# Runs the lines in several processes, or in one shell without workers, with a start-up hook for Python: $riseml_hook is
# the text of jax_hook.py, $riseml_processes that of processes.sh, $riseml_lines that of session.sh.

mkdir -p "$RISEML_DIR/jax" && printf '%s\n' "$riseml_hook" > "$RISEML_DIR/jax/sitecustomize.py" &&
  export PYTHONPATH="$RISEML_DIR/jax${PYTHONPATH:+:$PYTHONPATH}"
# jax's preemption service would take over SIGTERM.
[ -n "${JAX_ENABLE_PREEMPTION_SERVICE-}" ] || export JAX_ENABLE_PREEMPTION_SERVICE=false RISEML_PREEMPTION=on-demand
# When the coordinator dies, the other processes abort within milliseconds, so they report their end a little later.
riseml_delay=0.5
if [ -n "${RISEML_PROCESSES-}" ]; then
  eval "$riseml_processes"
else
  eval "$riseml_lines"
fi
