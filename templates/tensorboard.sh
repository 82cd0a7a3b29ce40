# Shows $OUTPUT_DIR at $TENSORBOARD_ADDRESS until it is told to end, and never ends by itself.
trap 'kill "$running" 2>/dev/null; exit 0' TERM INT
if command -v tensorboard > /dev/null; then
  set -- tensorboard
else
  python=$(command -v python3 || command -v python || echo python3)
  set -- "$python" -m tensorboard.main
fi
"$@" --logdir "$OUTPUT_DIR" --host "${TENSORBOARD_ADDRESS%:*}" --port "${TENSORBOARD_ADDRESS##*:}" &
running=$!
wait "$running"
echo "riseml: tensorboard has ended with status $?; the experiment goes on without it" >&2
while :; do
  sleep 3600 &
  running=$!
  wait "$running"
done
