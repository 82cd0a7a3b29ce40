# Runs TensorBoard for $OUTPUT_DIR at $TENSORBOARD_ADDRESS until a signal comes. It never exits by itself, so that no
# failure of TensorBoard affects the experiments, and it uses only processor time that they leave.
riseml_say() {
  printf 'riseml: %s\n' "$@" >&2
}

riseml_end() {
  [ -z "$riseml_running" ] || kill "$riseml_running" 2> /dev/null
  exit 0
}

# Runs a command in the background, because a shell handles a signal at once only while it waits.
riseml_await() {
  "$@" &
  riseml_running=$!
  wait "$riseml_running"
}

riseml_rest() {
  while riseml_await sleep 3600; do :; done
  # Without `sleep`, a loop would only use the processor.
  exit
}

riseml_do_without() {
  riseml_say 'no working tensorboard is installed; the experiments continue without it.' \
    "Add 'pip install tensorboard' to the image or to install in riseml.yml. If runs are local and have no install" \
    "steps, install it where you call riseml. 'riseml tensorboard' shows the output with your own TensorBoard."
  riseml_rest
}

# Prints the name of a python that has tensorboard.
riseml_python() {
  for python in python3 python; do
    "$python" -c 'import importlib.util as i, sys; sys.exit(i.find_spec("tensorboard.main") is None)' && break
  done 2> /dev/null && echo "$python"
}

riseml_running=
trap riseml_end TERM INT
if command -v tensorboard > /dev/null; then
  set -- tensorboard
else
  set -- "$(riseml_python)" -m tensorboard.main
  [ -n "$1" ] || riseml_do_without
fi
! command -v nice > /dev/null || set -- nice "$@"
# Linux may divide processor time between sessions first; `nice` counts only within a session.
{ echo 10 > /proc/self/autogroup; } 2> /dev/null
for riseml_pause in 5 30 120 ''; do
  riseml_await "$@" --logdir "$OUTPUT_DIR" --host "${TENSORBOARD_ADDRESS%:*}" --port "${TENSORBOARD_ADDRESS##*:}"
  riseml_status=$?
  riseml_why=
  [ "$riseml_status" != 137 ] || riseml_why=' (killed, most likely because memory ran out)'
  riseml_say "tensorboard exited with status $riseml_status$riseml_why; the experiments continue"
  [ "$riseml_status" != 127 ] || riseml_do_without
  if [ -n "$riseml_pause" ]; then
    riseml_say "it restarts in $riseml_pause seconds"
    riseml_await sleep "$riseml_pause"
  fi
done
riseml_say "it exited too often and is not restarted; 'riseml tensorboard' shows the output with your own"
riseml_rest
