# Runs the lines of one job with `$riseml_session` (the text of session.sh or another runner). The arguments are a text with
# functions, then the lines. It is POSIX sh. In bash, and if there is setsid, the lines are a process group of their own,
# so that a signal reaches each process exactly once.

riseml_functions=$1
shift

# A job on one machine rarely needs these functions, and bash takes 0.9 ms to read them, a third of the time of this script.
riseml_load() {
  [ -n "${riseml_loaded-}" ] || eval "$riseml_functions"
  riseml_loaded=1
}

riseml_write_record() {
  riseml_file=$OUTPUT_DIR/riseml-configuration.yml
  { printf '%s\n' "$RISEML_CONFIGURATION" > "$riseml_file" || [ -s "$riseml_file" ]; } &&
    { [ -d "$OUTPUT_DIR/.riseml" ] || mkdir -p "$OUTPUT_DIR/.riseml"; } ||
    { riseml_load; riseml_give_up "cannot write to the output directory $OUTPUT_DIR"; }
}

riseml_set_traps() {
  for riseml_name in TERM INT HUP; do trap "riseml_load; riseml_forward $riseml_name" "$riseml_name"; done
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

# C programs print line by line through the library of `stdbuf`, if the lines run a program of the user's own. The tools of
# a system would become ten times slower with it, and so would the files that they write.
riseml_print_by_line() {
  [ -z "${LD_PRELOAD-}${_STDBUF_O-}${ASAN_OPTIONS-}" ] || return 0
  set -f
  for riseml_line; do
    for riseml_word in $riseml_line; do
      ! riseml_is_program "${riseml_word##*[\(\;\&\|\"\'=]}" || { riseml_load; riseml_load_stdbuf; break 2; }
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

# A longer result is read from the file.
riseml_hand_over_result() {
  [ -z "${RISEML_SECRETS-}" ] || riseml_mask_results
  # bash warns about NUL.
  { riseml_result=$(tail -n 1 "$RESULT_FILE"); } 2> /dev/null
  # Otherwise a shell may count characters, not bytes. Nothing else needs the locale after this.
  LC_ALL=C
  [ "${#riseml_result}" -gt 2048 ] || printf '%s' "$riseml_result" > "$RISEML_DIR/result"
}

[ "${RISEML_LOGGED-}:${RISEML_ATTEMPT:-0}:${RISEML_EARLIER_ATTEMPTS-}${RISEML_KEEP_WORKDIR-}${RISEML_SECRETS-}" = 1:0: ] &&
  [ -z "${RISEML_RUNGS-}${RISEML_GANG-}${RISEML_TIMEOUT-}${RISEML_GPU_IDLE-}${RISEML_HOLD-}" ] || riseml_load
[ -z "${RISEML_EARLIER_ATTEMPTS-}" ] || riseml_count_on
[ -z "${RISEML_CONFIGURATION+x}" ] || riseml_write_record
[ "${RISEML_ATTEMPT:-0}" = 0 ] || [ -z "${RESULT_FILE-}" ] || riseml_begin_results
[ "${RISEML_LOGGED-}" = 1 ] || { riseml_begin_usage; riseml_open_log; riseml_begin_pod; }
[ "${RISEML_ATTEMPT:-0}" = "${RISEML_EARLIER_ATTEMPTS:-0}" ] || [ -z "${RISEML_ATTEMPTS-}" ] || riseml_announce_attempt
[ ! -d "$RISEML_DIR/code" ] || { riseml_load; riseml_place_code; }
[ -z "${riseml_session_success-}" ] || riseml_begin_session
if [ -d "$RISEML_DIR/code" ] || [ "${RISEML_LOGGED-}${RISEML_KEEP_WORKDIR-}" != 1 ]; then
  riseml_mark_workdir
else
  # The engine does the rest.
  [ -e "$RISEML_DIR/started" ] || : > "$RISEML_DIR/started"
fi
export PYTHONPATH="$RISEML_DIR/lib${PYTHONPATH:+:$PYTHONPATH}"
riseml_set_home
riseml_set_defaults
riseml_print_by_line "$@"
riseml_set_traps
trap "riseml_load; riseml_end_others" USR1
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
[ "${RISEML_LOGGED-}${RISEML_KEEP_WORKDIR-}" = 1 ] || riseml_keep_workdir
[ "${RISEML_LOGGED-}" = 1 ] || riseml_end_usage 2> /dev/null
[ -z "${RISEML_EXIT_FILE-}" ] || echo "$riseml_code" > "$RISEML_EXIT_FILE.${RISEML_ATTEMPT:-0}"
[ -z "${riseml_pod-}" ] || riseml_note_pod ended
[ -z "${riseml_tee-}" ] || riseml_close_log
exit "$riseml_code"
