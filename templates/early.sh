# Stops the lines early if the search decides so. early_stop.py reads their metrics and sends USR2; it imports rungs.py,
# which riseml.py also reads. Both texts are in variables.

# A decision that an earlier attempt has recorded holds: the lines do not run again.
riseml_begin_early() {
  [ ! -s "$OUTPUT_DIR/.riseml/early" ] || riseml_skip_lines
  printf %s "$riseml_rungs" > "$RISEML_DIR/rungs.py" && printf %s "$riseml_early_stop" > "$RISEML_DIR/early_stop.py"
  trap riseml_stop_early USR2
  riseml_python=$(command -v python3 || command -v python) || {
    echo "riseml: there is no Python in this image, so the search cannot stop this experiment early" >&2
    return
  }
  [ -e "$RISEML_DIR/started" ] || : > "$RISEML_DIR/started"
  "$riseml_python" -E -S -B "$RISEML_DIR/early_stop.py" < /dev/null &
  riseml_watcher=$!
}

riseml_skip_lines() {
  echo "riseml: an earlier attempt was stopped early, so this one does not start" >&2
  riseml_code=0 riseml_watcher=
  riseml_end_early
  [ -z "${riseml_session_success-}" ] || riseml_end_session
  [ ! -s "${RESULT_FILE-}" ] || riseml_hand_over_result
  [ -z "${riseml_tee-}" ] || riseml_close_log
  exit 0
}

# It has as much time to save as after a kill.
riseml_stop_early() {
  riseml_interrupted=1
  [ -n "${riseml_pid-}" ] && [ -z "${riseml_stopping-}" ] || return 0
  riseml_stopping=1 riseml_is_early=1
  eval "$riseml_stop_functions"
  riseml_grace=$((riseml_grace + 2))
  riseml_stop TERM
  kill -KILL "$riseml_pid" 2> /dev/null
}

# Whatever the exit code of a program that was stopped, it has not failed. One that stopped by itself may have.
riseml_end_early() {
  [ -z "${riseml_watcher-}" ] || kill "$riseml_watcher" 2> /dev/null
  [ -s "$OUTPUT_DIR/.riseml/early" ] && [ -z "${riseml_signal-}" ] || return 0
  [ -n "${riseml_is_early-}" ] || [ "$riseml_code" = 0 ] || return 0
  riseml_code=0
  read -r riseml_reason < "$OUTPUT_DIR/.riseml/early"
  printf %s "$riseml_reason" > "$RISEML_DIR/early"
  echo "riseml: stopped early $riseml_reason" >&2
}
