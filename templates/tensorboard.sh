# Shows $OUTPUT_DIR at $TENSORBOARD_ADDRESS until it is told to end, and never ends by itself: whatever becomes of
# TensorBoard, the experiments go on. It takes what processors they leave.
riseml_end() {
  kill "$running" 2> /dev/null
  exit 0
}

riseml_rest() {
  sleep "$1" &
  running=$!
  wait "$running"
}

running=
trap riseml_end TERM INT
if command -v tensorboard > /dev/null; then
  set -- tensorboard
else
  python=$(command -v python3 || command -v python || echo python3)
  set -- "$python" -m tensorboard.main
fi
! command -v nice > /dev/null || set -- nice "$@"
set -- "$@" --logdir "$OUTPUT_DIR" --host "${TENSORBOARD_ADDRESS%:*}" --port "${TENSORBOARD_ADDRESS##*:}"
for pause in 5 30 120 0; do
  "$@" &
  running=$!
  wait "$running"
  status=$?
  echo "riseml: tensorboard has ended with status $status; the experiments go on without it" >&2
  [ "$status" != 127 ] || break
  [ "$pause" = 0 ] || riseml_rest "$pause"
done
echo "riseml: it is not started again. Is tensorboard installed in this image? After the run, 'riseml tensorboard' shows" \
  "the output with the one of your own machine." >&2
while :; do riseml_rest 3600; done
