# Lets the jobs of one experiment, RISEML_GANG (`job=host:port` words), begin together. They meet in RISEML_MEETING, a
# folder of the output volume that they share: each leaves a file of its name there. Whoever has not met all others after
# RISEML_GANG_TIMEOUT seconds ends with status 75 and says whom it missed, so a gang that gets only a part of its places
# gives them back.

riseml_meet() {
  mkdir -p "$RISEML_MEETING" || riseml_give_up "cannot write to the output directory $OUTPUT_DIR"
  riseml_until=$(($(date +%s) + RISEML_GANG_TIMEOUT)) riseml_pauses=0
  while riseml_arrive; riseml_miss; [ -n "$riseml_missing" ]; do
    [ -z "${riseml_signal-}" ] || riseml_leave 143
    [ ! -e "$RISEML_MEETING/over" ] || riseml_leave 143 "$(cat "$RISEML_MEETING/over") before all jobs had met"
    riseml_now=$(date +%s) # nothing, where a signal came
    if [ "${riseml_now:-0}" -ge "$riseml_until" ]; then
      printf %s "$riseml_missing" > "$RISEML_DIR/missing"
      riseml_leave 75 "after $RISEML_GANG_TIMEOUT seconds, the gang_timeout, $riseml_missing"
    fi
    riseml_pause
  done
}

# Does so again while it waits: a client of NFS whose own change it is looks at the folder anew.
riseml_arrive() {
  : > "$RISEML_MEETING/.$RISEML_JOB" && mv -f "$RISEML_MEETING/.$RISEML_JOB" "$RISEML_MEETING/$RISEML_JOB"
}

# Says in riseml_missing who is missing, or, once all are there, whose host name nobody knows.
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
  [ -z "$riseml_unknown" ] || riseml_missing="nothing is known of the host$riseml_unknown (is there a headless Service?)"
}

# At first often: where all jobs start at once, nobody should wait for a whole second.
riseml_pause() {
  riseml_pauses=$((riseml_pauses + 1))
  case $riseml_pauses in
    ?) sleep 0.1 2> /dev/null || sleep 1 ;;
    *) sleep 1 ;;
  esac
  [ "$riseml_pauses" != 20 ] || echo "riseml: $RISEML_JOB waits: $riseml_missing" >&2
}

riseml_leave() {
  [ -z "${2-}" ] || echo "riseml: $RISEML_JOB ends: $2" >&2
  [ -z "${riseml_tee-}" ] || riseml_close_log
  exit "$1"
}

# Tells who comes later that it is over: Argo makes a pod anew that was deleted before it had begun.
riseml_part() {
  [ "$riseml_code" = 0 ] || echo "$RISEML_JOB has ended with status $riseml_code" > "$RISEML_MEETING/over"
}
