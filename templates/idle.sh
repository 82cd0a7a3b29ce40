# Watches whether the lines of a job that requested GPUs use them. idle.py measures; its text is in a variable. It writes
# for how long they have been idle to the file `idle.<job>.<attempt>`, and sends ALRM after as many seconds as RISEML_GPU_IDLE
# begins with, 0 for never.

# The lines have started by then, so they do not wait for this.
riseml_begin_idle() {
  riseml_python=$(command -v python3 || command -v python) || {
    case $RISEML_GPU_IDLE in
      0*) ;;
      *) echo "riseml: there is no Python in this image, so idle_timeout does not stop this job" >&2 ;;
    esac
    return 0
  }
  trap riseml_stop_idle ALRM
  printf %s "$riseml_idle" > "$RISEML_DIR/idle.py"
  "$riseml_python" -E -S -B "$RISEML_DIR/idle.py" < /dev/null &
  riseml_gauge=$!
}

# Argo does not know why a gang has failed, so its retries end here.
riseml_skip_idle() {
  [ "$(cat "$OUTPUT_DIR/.riseml/idle.stopped" 2> /dev/null)" = "${RISEML_MEETING%.*}" ] || return 0
  printf %s "${RISEML_GPU_IDLE%% *}" > "$RISEML_DIR/idle"
  riseml_leave 79 "the attempt before was stopped because its GPUs were idle"
}

# It has as much time to save as after a kill.
riseml_stop_idle() {
  riseml_interrupted=1
  [ -z "${riseml_stopping-}" ] || return 0
  riseml_stopping=1 riseml_is_idle=1
  eval "$riseml_stop_functions"
  riseml_grace=$((riseml_grace + 2))
  riseml_stop TERM
  kill -KILL "$riseml_pid"
}

# Whatever the exit code of the lines, this status says that they were stopped for this reason.
riseml_end_idle() {
  riseml_stat=
  [ -z "${riseml_gauge-}" ] || read -r riseml_stat < "/proc/$riseml_gauge/stat"
  set -- ${riseml_stat##*) }
  # Another process may have its number.
  [ "${2-}" != "$riseml_runner" ] || { kill -KILL "$riseml_gauge"; wait "$riseml_gauge"; }
  riseml_file=$OUTPUT_DIR/.riseml/idle.$RISEML_JOB.${RISEML_ATTEMPT:-0}
  [ ! -e "$riseml_file" ] || rm -f "$riseml_file"
  if [ -z "${riseml_is_idle-}" ]; then
    [ ! -e "$RISEML_DIR/idle" ] || rm -f "$RISEML_DIR/idle"
    return 0
  fi
  read -r riseml_seconds < "$RISEML_DIR/idle" || [ -n "$riseml_seconds" ]
  echo "riseml: stopped because its GPUs were idle for $riseml_seconds seconds (\`idle_timeout\`)"
  riseml_code=79 riseml_signal=ALRM
  [ -z "${RISEML_GANG-}" ] || echo "${RISEML_MEETING%.*}" > "$OUTPUT_DIR/.riseml/idle.stopped"
}
