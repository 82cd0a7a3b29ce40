# Shows $OUTPUT_DIR at $TENSORBOARD_ADDRESS until it is told to end, and never ends by itself: whatever becomes of
# TensorBoard, the experiments go on. It takes the processor time that they leave.
riseml_say() {
  printf 'riseml: %s\n' "$@" >&2
}

riseml_end() {
  [ -z "$riseml_running" ] || kill "$riseml_running" 2> /dev/null
  exit 0
}

# In the background, because a shell that waits hears of a signal at once.
riseml_await() {
  "$@" &
  riseml_running=$!
  wait "$riseml_running"
}

riseml_rest() {
  while riseml_await sleep 3600; do :; done
  exit # where there is no sleep: nobody would miss it, but its noise
}

riseml_do_without() {
  riseml_say 'there is no tensorboard that works here; the experiments go on without it.' \
    "Add 'pip install tensorboard' to the image or to install in riseml.yml; where nothing is installed and runs are" \
    "local, to the environment in which you call riseml. 'riseml tensorboard' shows the output with your own."
  riseml_rest
}

# Prints which python has a tensorboard.
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
{ echo 10 > /proc/self/autogroup; } 2> /dev/null # Linux may share processors out by session, and nice within each
for riseml_pause in 5 30 120 ''; do
  riseml_await "$@" --logdir "$OUTPUT_DIR" --host "${TENSORBOARD_ADDRESS%:*}" --port "${TENSORBOARD_ADDRESS##*:}"
  riseml_status=$?
  riseml_why=
  [ "$riseml_status" != 137 ] || riseml_why=', killed: most likely for want of memory'
  riseml_say "tensorboard has ended with status $riseml_status$riseml_why; the experiments go on"
  [ "$riseml_status" != 127 ] || riseml_do_without
  if [ -n "$riseml_pause" ]; then
    riseml_say "it begins again in $riseml_pause seconds"
    riseml_await sleep "$riseml_pause"
  fi
done
riseml_say "it has ended too often to begin again; 'riseml tensorboard' shows the output with your own"
riseml_rest
