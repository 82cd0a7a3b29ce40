# Runs the lines of one job, its arguments, with `$riseml_session` (the text of session.sh or another runner). It is POSIX
# sh. In bash, and if there is setsid, the lines are a process group of their own, so that a signal reaches each process
# exactly once.

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

riseml_set_traps() {
  for riseml_name in TERM INT HUP; do trap "riseml_forward $riseml_name" "$riseml_name"; done
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

# A signal makes `wait` return early, with a status that is not the session's.
riseml_wait() {
  riseml_code= riseml_interrupted=1
  while [ -n "$riseml_interrupted" ]; do
    riseml_interrupted=
    wait "${riseml_pid#-}"
    riseml_ended=$?
    [ "$riseml_ended" = 127 ] && [ -n "$riseml_code" ] || riseml_code=$riseml_ended
    [ -z "$riseml_interrupted" ] || ! riseml_is_forgotten || { riseml_code=143; break; }
  done
  # processes.sh writes it before it sends USR1.
  [ ! -s "$RISEML_DIR/status" ] || read -r riseml_code < "$RISEML_DIR/status"
}

# bash 5.2 may lose the end of a process that exits just as a signal comes. It would wait for that process forever.
riseml_is_forgotten() {
  ! kill -0 "${riseml_pid#-}" && [ -n "${BASH_VERSION-}" ] || return 1
  case " $(jobs -r -p | tr '\n' ' ') " in *" ${riseml_pid#-} "*) return 0 ;; esac
  return 1
}

# Ends the processes that the lines left running: after a signal they may take their time, else half a second.
riseml_sweep() {
  [ -n "${riseml_stopping-}" ] || kill -TERM "$riseml_pid" || return
  riseml_count=0
  while kill -0 "$riseml_pid"; do
    [ -n "${riseml_signal-}" ] || [ "$riseml_count" -lt 5 ] || { kill -KILL "$riseml_pid"; return; }
    riseml_count=$((riseml_count + 1))
    sleep 0.1 || sleep 1
  done
}

# Libraries keep caches and settings in HOME. With a read-only root, or a user that the image does not know, it is `/` or
# another folder that cannot be written to.
riseml_set_home() {
  [ -d "${HOME-}" ] && [ ! -w "$HOME" ] || return 0
  export HOME="$RISEML_DIR/home"
  mkdir -p "$HOME"
}

# Output appears at once, and a kill loses none of it. Libraries start no more threads than the job has CPUs. Variables
# that the user, the image or the user's shell has set stay as they are.
riseml_set_defaults() {
  : "${PYTHONUNBUFFERED=1}"
  export PYTHONUNBUFFERED
  [ -n "${RISEML_THREADS-}" ] || return 0
  riseml_threads=$((RISEML_THREADS / ${RISEML_PROCESSES:-1}))
  [ "$riseml_threads" -gt 0 ] || riseml_threads=1
  : "${LOKY_MAX_CPU_COUNT=$riseml_threads}" "${OMP_NUM_THREADS=$riseml_threads}"
  # Without variables of their own, these libraries obey the user's OMP_NUM_THREADS, which may be a list.
  riseml_threads=${OMP_NUM_THREADS%%,*}
  : "${riseml_threads:=1}" "${OPENBLAS_NUM_THREADS=$riseml_threads}" "${MKL_NUM_THREADS=$riseml_threads}"
  : "${NUMEXPR_NUM_THREADS=$riseml_threads}" "${NUMEXPR_MAX_THREADS=$riseml_threads}"
  : "${VECLIB_MAXIMUM_THREADS=$riseml_threads}"
  export LOKY_MAX_CPU_COUNT OMP_NUM_THREADS OPENBLAS_NUM_THREADS MKL_NUM_THREADS
  export NUMEXPR_NUM_THREADS NUMEXPR_MAX_THREADS VECLIB_MAXIMUM_THREADS
}

# The jobs of an experiment share the file of results. The first one of a further attempt moves that of the attempt
# before aside. The jobs of a gang meet afterwards, so none reports before that.
riseml_begin_results() {
  mkdir "${RESULT_FILE%/*}/attempt.$RISEML_ATTEMPT" 2> /dev/null || return 0
  [ ! -e "$RESULT_FILE" ] || mv -f "$RESULT_FILE" "${RESULT_FILE%.jsonl}.$((RISEML_ATTEMPT - 1)).jsonl"
}

# C programs print line by line through the library of `stdbuf`, if the lines run a program of the user's own. The tools of
# a system would become ten times slower with it, and so would the files that they write.
riseml_print_by_line() {
  [ -z "${LD_PRELOAD-}${_STDBUF_O-}${ASAN_OPTIONS-}" ] || return 0
  set -f
  for riseml_line; do
    for riseml_word in $riseml_line; do
      ! riseml_is_program "${riseml_word##*[\(\;\&\|\"\'=]}" || { riseml_load_stdbuf; break 2; }
    done
  done
  set +f
}

riseml_is_program() {
  case $1 in
    /bin/* | /sbin/* | /usr/* | *[Pp]ython*) return 1 ;;
    */*) ;;
    *) return 1 ;;
  esac
  if [ -f "$1" ]; then
    [ -x "$1" ] && { read -r riseml_magic < "$1" || [ -n "$riseml_magic" ]; } 2> /dev/null || return 1
    case $riseml_magic in ?ELF*) return 0 ;; esac
    return 1
  fi
  # An earlier line, or an earlier command of the line, may make it.
  case $1 in ./*.* | */) return 1 ;; ./*) return 0 ;; esac
  return 1
}

riseml_load_stdbuf() {
  command -v stdbuf > /dev/null || return 0
  riseml_library=$(stdbuf -oL sh -c 'printf %s "$LD_PRELOAD"')
  [ -f "$riseml_library" ] || return 0
  # Programs with this sanitizer refuse to start after another library.
  export LD_PRELOAD="$riseml_library" _STDBUF_O=L ASAN_OPTIONS=verify_asan_link_order=0
}

# A longer result is read from the file.
riseml_hand_over_result() {
  [ -z "${RISEML_SECRETS-}" ] || riseml_mask_results
  # bash warns about NUL.
  { riseml_result=$(tail -n 1 "$RESULT_FILE"); } 2> /dev/null
  # Otherwise a shell may count characters, not bytes. Nothing else needs the locale after this.
  LC_ALL=C
  [ "${#riseml_result}" -gt 2048 ] || printf '%s' "$riseml_result" > "$RISEML_DIR/result"
}

[ -z "${RISEML_EARLIER_ATTEMPTS-}" ] || riseml_count_on
[ -z "${RISEML_CONFIGURATION+x}" ] || riseml_write_record
[ "${RISEML_ATTEMPT:-0}" = 0 ] || [ -z "${RESULT_FILE-}" ] || riseml_begin_results
[ "${RISEML_LOGGED-}" = 1 ] || { riseml_begin_usage; riseml_open_log; riseml_begin_pod; }
[ "${RISEML_ATTEMPT:-0}" = "${RISEML_EARLIER_ATTEMPTS:-0}" ] || [ -z "${RISEML_ATTEMPTS-}" ] || riseml_announce_attempt
[ ! -d "$RISEML_DIR/code" ] || riseml_place_code
[ -z "${riseml_session_success-}" ] || riseml_begin_session
riseml_mark_workdir
export PYTHONPATH="$RISEML_DIR/lib${PYTHONPATH:+:$PYTHONPATH}"
riseml_set_home
riseml_set_defaults
riseml_print_by_line "$@"
riseml_set_traps
trap riseml_end_others USR1
riseml_runner=${$}
[ -z "${RISEML_RUNGS-}" ] || riseml_begin_early
[ -z "${RISEML_GANG-}" ] || { riseml_meet; [ -z "${riseml_pod-}" ] || { riseml_met=" met"; riseml_note_pod running; }; }
[ -z "${RISEML_GPU_IDLE-}" ] || [ -z "${RISEML_GANG-}" ] || riseml_skip_idle
if [ -n "${BASH_VERSION-}" ]; then
  set -m
  # In a function, `declare` would make local variables.
  (eval "$riseml_session") &
  riseml_pid=-$!
  set +m
elif command -v setsid > /dev/null; then
  setsid sh -c "riseml_runner=${$}
$riseml_session" riseml "$@" &
  riseml_pid=-$!
else
  (eval "$riseml_session") &
  riseml_pid=$!
fi
# A signal that came before riseml_pid was set has reached nothing yet.
[ -z "${riseml_signal-}" ] || riseml_forward "$riseml_signal"
[ -z "${riseml_failed-}" ] || riseml_end_others
[ -z "${RISEML_TIMEOUT-}" ] || riseml_begin_timeout
[ -z "${RISEML_GPU_IDLE-}" ] || riseml_begin_idle
riseml_wait 2>/dev/null
[ -z "${RISEML_TIMEOUT-}" ] || riseml_judge_time
riseml_sweep 2>/dev/null
[ -z "${riseml_cause-}" ] || riseml_end_timeout
[ -z "${RISEML_RUNGS-}" ] || riseml_end_early
[ -z "${RISEML_GPU_IDLE-}" ] || riseml_end_idle 2> /dev/null
[ -z "${RISEML_GANG-}" ] || riseml_part
[ -z "${RISEML_HOLD-}" ] || riseml_hold
[ -z "${riseml_session_success-}" ] || riseml_end_session
[ ! -s "${RESULT_FILE-}" ] || riseml_hand_over_result
riseml_keep_workdir
[ "${RISEML_LOGGED-}" = 1 ] || riseml_end_usage 2> /dev/null
[ -z "${RISEML_EXIT_FILE-}" ] || echo "$riseml_code" > "$RISEML_EXIT_FILE.${RISEML_ATTEMPT:-0}"
[ -z "${riseml_pod-}" ] || riseml_note_pod ended
[ -z "${riseml_tee-}" ] || riseml_close_log
exit "$riseml_code"
