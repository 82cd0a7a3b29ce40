# Start barrier for the jobs of one experiment, RISEML_GANG (`job=host:port` words). They meet in RISEML_MEETING, a
# folder of the output volume that they share, where every job makes a file with its name. A job that has not met all
# others after RISEML_GANG_TIMEOUT seconds exits with status 75 and names the missing ones, so a gang that gets resources
# for only some of its jobs releases them.

riseml_meet() {
  mkdir -p "$RISEML_MEETING" || riseml_give_up "cannot write to the output directory $OUTPUT_DIR"
  riseml_until=$(($(date +%s) + RISEML_GANG_TIMEOUT)) riseml_pauses=0
  while riseml_arrive; riseml_miss; [ -n "$riseml_missing" ]; do
    [ -z "${riseml_signal-}" ] || riseml_leave 143
    [ ! -e "$RISEML_MEETING/over" ] || riseml_leave 143 "$(cat "$RISEML_MEETING/over") before all jobs had met"
    riseml_now=$(date +%s) # Empty if a signal came.
    if [ "${riseml_now:-0}" -ge "$riseml_until" ]; then
      printf %s "$riseml_missing" > "$RISEML_DIR/missing"
      riseml_leave 75 "after $RISEML_GANG_TIMEOUT seconds, the gang_timeout, $riseml_missing"
    fi
    riseml_pause
  done
}

# Makes this job's file, repeatedly while the job waits: after a change of its own, an NFS client reads the folder from
# the server again.
riseml_arrive() {
  : > "$RISEML_MEETING/.$RISEML_JOB" && mv -f "$RISEML_MEETING/.$RISEML_JOB" "$RISEML_MEETING/$RISEML_JOB"
}

# Describes in riseml_missing which jobs are missing or, once all have arrived, which host names cannot be resolved.
riseml_miss() {
  riseml_missing= riseml_unknown=
  for riseml_member in $RISEML_GANG; do
    [ -e "$RISEML_MEETING/${riseml_member%%=*}" ] || riseml_missing="$riseml_missing ${riseml_member%%=*}"
  done
  if [ -n "$riseml_missing" ]; then
    riseml_missing="there was no sign of$riseml_missing"
    return
  fi
  command -v getent > /dev/null || return 0
  for riseml_member in $RISEML_GANG; do
    riseml_host=${riseml_member#*=} riseml_host=${riseml_host%:*}
    getent hosts "$riseml_host" > /dev/null || riseml_unknown="$riseml_unknown $riseml_host"
  done
  [ -z "$riseml_unknown" ] || riseml_missing="there is no address of the host$riseml_unknown (is there a headless Service?)"
}

# Pauses briefly at first: if all jobs start at once, none should wait for a second.
riseml_pause() {
  riseml_pauses=$((riseml_pauses + 1))
  case $riseml_pauses in
    ?) sleep 0.1 2> /dev/null || sleep 1 ;;
    *) sleep 1 ;;
  esac
  [ "$riseml_pauses" != 20 ] || echo "riseml: $RISEML_JOB is waiting: $riseml_missing" >&2
}

riseml_leave() {
  [ -z "${2-}" ] || echo "riseml: $RISEML_JOB exits: $2" >&2
  [ -z "${riseml_tee-}" ] || riseml_close_log
  exit "$1"
}

# Informs jobs that arrive later that this one has failed: Argo creates a pod again if it was deleted before it started.
# A job that fails after another one has probably failed because of it, and waits to be ended with its peers. So the first
# failure is also the first that is recorded.
riseml_part() {
  [ "$riseml_code" != 0 ] || return 0
  (set -C; echo "$RISEML_JOB exited with status $riseml_code" > "$RISEML_MEETING/over") 2> /dev/null && return
  case $(cat "$RISEML_MEETING/over") in "$RISEML_JOB "*) return ;; esac
  riseml_pauses=0
  while [ -z "${riseml_signal-}" ] && [ "$riseml_pauses" -lt 30 ]; do
    riseml_pauses=$((riseml_pauses + 1))
    sleep 1
  done
}
