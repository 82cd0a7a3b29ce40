riseml_give_up() {
  echo "riseml: $1 (as user $(id -u))" >&2
  [ -z "${riseml_tee-}" ] || riseml_close_log
  exit 73
}

# Starts a command in the background. Sets riseml_beside to the argument with which `kill` reaches it and, in bash, all
# processes that it starts.
riseml_start() {
  [ -z "${BASH_VERSION-}" ] || set -m
  "$@" &
  riseml_beside=$!
  [ -z "${BASH_VERSION-}" ] || { set +m; riseml_beside=-$!; }
}

# Copies the job's output to the output volume, so that it outlives the pod. The copy continues until the last writer
# exits, even after a signal: a trainer that saves a checkpoint on TERM may still write.
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
    [ -z "${RISEML_SECRETS-}" ] || riseml_give_up "cannot write to ${riseml_log%/*}, so secrets cannot be masked"
    echo "riseml: this log is not copied to ${riseml_log%/*}" >&2
  fi
}

riseml_copy() {
  trap '' TERM INT HUP
  [ -z "${RISEML_SECRETS-}" ] || riseml_copy_masked
  exec tee -a "$riseml_log" < "$riseml_pipe"
}

# Writes lines of `<seconds since 1970> <bytes>`: the length of the log at that time.
riseml_watch_clock() {
  exec >> "$riseml_log.times" 2>/dev/null
  riseml_length=
  while kill -0 "${riseml_tee#-}"; do
    riseml_now=$(($(wc -c < "$riseml_log")))
    [ "$riseml_now" = "$riseml_length" ] || echo "$(date +%s) $riseml_now"
    riseml_length=$riseml_now
    riseml_sample_memory
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

# An experiment that its set runs again counts on from its earlier attempts.
riseml_count_on() {
  RISEML_ATTEMPT=$((${RISEML_ATTEMPT:-0} + RISEML_EARLIER_ATTEMPTS))
  [ -z "${RISEML_ATTEMPTS-}" ] || RISEML_ATTEMPTS=$((RISEML_ATTEMPTS + RISEML_EARLIER_ATTEMPTS))
}

riseml_announce_attempt() {
  riseml_failure=
  # Argo writes 0 if it does not know the exit code, and -1 for a pod that is gone.
  case ${RISEML_LAST_EXIT:-0} in
    0 | -1) ;;
    *) riseml_failure=" with exit code $RISEML_LAST_EXIT" ;;
  esac
  echo "riseml: attempt $RISEML_ATTEMPT failed$riseml_failure; starting attempt $((RISEML_ATTEMPT + 1)) of $RISEML_ATTEMPTS"
}

# Install steps ran in the image's own directory and may have left files there, so the code is copied over them.
riseml_place_code() {
  if [ -w . ]; then
    cp -RPp "$RISEML_DIR/code/." . || riseml_give_up "cannot copy the code to $PWD"
  else
    echo "riseml: user $(id -u) cannot write to $PWD, so the code runs in $RISEML_DIR/code" >&2
    cd "$RISEML_DIR/code" || riseml_give_up "cannot enter $RISEML_DIR/code"
  fi
}

# Only the first signal counts. `$riseml_stop_functions` is the text of stop.sh, which few jobs need. This returns once the lines have stopped, or the time for that is nearly over.
riseml_forward() {
  riseml_interrupted=1
  riseml_signal=${riseml_signal:-$1}
  [ -z "${riseml_pod-}" ] || riseml_note_pod running
  # Without job control, a shell starts background commands with INT ignored.
  [ -n "${BASH_VERSION-}" ] || set -- TERM
  [ -n "${riseml_pid-}" ] && [ -z "${riseml_stopping-}" ] || return 0
  riseml_stopping=1
  eval "$riseml_stop_functions"
  riseml_stop "$1"
}

# processes.sh asks for this with USR1: one process has failed, and the others have to end.
riseml_end_others() {
  riseml_interrupted=1 riseml_failed=1
  [ -n "${riseml_pid-}" ] && [ -z "${riseml_stopping-}" ] || return 0
  riseml_stopping=1
  eval "$riseml_stop_functions"
  riseml_grace=$riseml_peer_grace
  riseml_stop TERM
  echo over 0 1<> "$RISEML_DIR/ends"
}

# bash 5.2 may lose the end of a process that exits just as a signal comes. It would wait for that process forever.
riseml_is_forgotten() {
  ! kill -0 "${riseml_pid#-}" && [ -n "${BASH_VERSION-}" ] || return 1
  case " $(jobs -r -p | tr '\n' ' ') " in *" ${riseml_pid#-} "*) return 0 ;; esac
  return 1
}

# The jobs of an experiment share the file of results. The first one of a further attempt moves that of the attempt
# before aside. The jobs of a gang meet afterwards, so none reports before that.
riseml_begin_results() {
  mkdir "${RESULT_FILE%/*}/attempt.$RISEML_ATTEMPT" 2> /dev/null || return 0
  [ ! -e "$RESULT_FILE" ] || mv -f "$RESULT_FILE" "${RESULT_FILE%.jsonl}.$((RISEML_ATTEMPT - 1)).jsonl"
}

riseml_load_stdbuf() {
  command -v stdbuf > /dev/null || return 0
  riseml_library=$(stdbuf -oL sh -c 'printf %s "$LD_PRELOAD"')
  [ -f "$riseml_library" ] || return 0
  # Programs with this sanitizer refuse to start after another library.
  export LD_PRELOAD="$riseml_library" _STDBUF_O=L ASAN_OPTIONS=verify_asan_link_order=0
}
