# Runs the lines of one job, which are the arguments, by `$riseml_session` (session.sh or another way to run them). POSIX
# sh; in bash, and where there is setsid, the lines are a process group of their own, so that a signal reaches each
# process exactly once.

riseml_give_up() {
  echo "riseml: $1 (as user $(id -u))" >&2
  [ -z "${riseml_tee-}" ] || riseml_close_log
  exit 73
}

riseml_write_record() {
  riseml_file=$OUTPUT_DIR/riseml-configuration.yml
  printf '%s\n' "$RISEML_CONFIGURATION" > "$riseml_file" || [ -s "$riseml_file" ] ||
    riseml_give_up "cannot write to the output directory $OUTPUT_DIR"
  [ -d "$OUTPUT_DIR/.riseml" ] || mkdir -p "$OUTPUT_DIR/.riseml" ||
    riseml_give_up "cannot write to the output directory $OUTPUT_DIR"
}

# Sets riseml_beside to what `kill` needs to reach a command in the background and, in bash, all that it starts.
riseml_start() {
  [ -z "${BASH_VERSION-}" ] || set -m
  "$@" &
  riseml_beside=$!
  [ -z "${BASH_VERSION-}" ] || { set +m; riseml_beside=-$!; }
}

# Copies what the job writes to the output volume, so that it outlives the pod. The copy goes on until the last writer
# is gone, whatever signals come: a trainer that saves a checkpoint on TERM has more to say.
riseml_open_log() {
  riseml_log=$OUTPUT_DIR/.riseml/logs/$RISEML_JOB.${RISEML_ATTEMPT:-0}.log
  riseml_pipe=$RISEML_DIR/log
  if mkdir -p "${riseml_log%/*}" && printf '' >> "$riseml_log" && rm -f "$riseml_pipe" && mkfifo "$riseml_pipe"; then
    riseml_start riseml_copy
    riseml_tee=$riseml_beside
    riseml_start riseml_watch_clock
    riseml_clock=$riseml_beside
    exec > "$riseml_pipe" 2>&1
    rm -f "$riseml_pipe"
  else
    echo "riseml: there will be no copy of this log in ${riseml_log%/*}" >&2
  fi
}

riseml_copy() {
  trap '' TERM INT HUP
  exec tee -a "$riseml_log" < "$riseml_pipe"
}

# Writes `<seconds since 1970> <bytes>`: by then the log was that long.
riseml_watch_clock() {
  exec >> "$riseml_log.times" 2>/dev/null
  riseml_length=
  while kill -0 "${riseml_tee#-}"; do
    riseml_now=$(($(wc -c < "$riseml_log")))
    [ "$riseml_now" = "$riseml_length" ] || echo "$(date +%s) $riseml_now"
    riseml_length=$riseml_now
    sleep 5
  done
}

riseml_close_log() {
  exec > /dev/null 2>&1
  riseml_start riseml_end_copy
  wait "${riseml_tee#-}"
  kill -TERM "$riseml_beside" "$riseml_clock"
  echo "$(date +%s) $(($(wc -c < "$riseml_log")))" >> "$riseml_log.times"
}

riseml_end_copy() {
  sleep 5
  kill -KILL "$riseml_tee"
}

# Install steps ran in the image's own directory and may have left files there: the code comes over them.
riseml_place_code() {
  if [ -w . ]; then
    cp -RPp "$RISEML_DIR/code/." . || riseml_give_up "cannot copy the code to $PWD"
  else
    echo "riseml: user $(id -u) cannot write to $PWD, so the code runs in $RISEML_DIR/code" >&2
    cd "$RISEML_DIR/code" || riseml_give_up "cannot enter $RISEML_DIR/code"
  fi
}

riseml_forward() {
  riseml_signal=$1
  riseml_interrupted=1
  [ -n "${BASH_VERSION-}" ] || set -- TERM # a shell without job control makes its background ignore INT
  [ -z "${riseml_pid-}" ] || kill "-$1" "$riseml_pid" 2>/dev/null
}

# A signal ends `wait` early, with a status that is not the session's.
riseml_wait() {
  riseml_code= riseml_interrupted=1
  while [ -n "$riseml_interrupted" ]; do
    riseml_interrupted=
    wait "${riseml_pid#-}"
    riseml_ended=$?
    [ "$riseml_ended" = 127 ] && [ -n "$riseml_code" ] || riseml_code=$riseml_ended
  done
}

# What the lines left running ends with them: in its own time after a signal, else within half a second.
riseml_sweep() {
  [ -n "${riseml_signal-}" ] || kill -TERM "$riseml_pid" || return
  riseml_count=0
  while kill -0 "$riseml_pid"; do
    [ -n "${riseml_signal-}" ] || [ "$riseml_count" -lt 5 ] || { kill -KILL "$riseml_pid"; return; }
    riseml_count=$((riseml_count + 1))
    sleep 0.1 || sleep 1
  done
}

riseml_hand_over_result() {
  riseml_result=$(tail -n 1 "$RESULT_FILE")
  [ "${#riseml_result}" -gt 2048 ] || printf '%s' "$riseml_result" > "$RISEML_DIR/result"
}

[ -z "${RISEML_CONFIGURATION+x}" ] || riseml_write_record
[ "${RISEML_LOGGED-}" = 1 ] || riseml_open_log
[ ! -d "$RISEML_DIR/code" ] || riseml_place_code
export PYTHONPATH="$RISEML_DIR/lib${PYTHONPATH:+:$PYTHONPATH}"
for riseml_name in TERM INT HUP; do trap "riseml_forward $riseml_name" "$riseml_name"; done
[ -z "${RISEML_GANG-}" ] || riseml_meet
if [ -n "${BASH_VERSION-}" ]; then
  set -m
  (eval "$riseml_session") & # not in a function: there `declare` would mean something else
  riseml_pid=-$!
  set +m
elif command -v setsid > /dev/null; then
  setsid sh -c "$riseml_session" riseml "$@" &
  riseml_pid=-$!
else
  (eval "$riseml_session") &
  riseml_pid=$!
fi
[ -z "${riseml_signal-}" ] || riseml_forward "$riseml_signal"
riseml_wait 2>/dev/null
riseml_sweep 2>/dev/null
[ -z "${RISEML_GANG-}" ] || riseml_part
[ ! -s "${RESULT_FILE-}" ] || riseml_hand_over_result
[ -z "${riseml_tee-}" ] || riseml_close_log
exit "$riseml_code"
