# Keeps a job whose lines have failed: it waits, with all that it has, until it is released or its time is over. A signal
# ends this at once. The file `held.<job>` says `<attempt> <exit status> <time of the failure> <end of the hold>`, in seconds
# since 1970. Whoever removes it releases the job.

riseml_hold() {
  # A timeout is a failure of the lines, not a signal that ends the job.
  [ -z "$riseml_cause" ] || riseml_signal=
  [ "$riseml_code" != 0 ] && [ -z "${riseml_signal-}" ] && riseml_failed_first || return 0
  riseml_held=$OUTPUT_DIR/.riseml/held.$RISEML_JOB
  riseml_failed_at=$(date +%s)
  riseml_until=$((riseml_failed_at + RISEML_HOLD))
  # There are no lines left to stop.
  riseml_stopping=1
  echo "${RISEML_ATTEMPT:-0} $riseml_code $riseml_failed_at $riseml_until" > "$riseml_held" || return 0
  printf %s "$riseml_failed_at$riseml_cause" > "$RISEML_DIR/held"
  riseml_id=$RISEML_EXPERIMENT.$RISEML_JOB
  echo "riseml: failed with exit code $riseml_code; held for $RISEML_HOLD seconds (\`hold_on_failure\`):" \
    "\`riseml shell $riseml_id\` gets in, \`riseml release $riseml_id\` releases it"
  riseml_end="the time is over"
  # A signal may end `date` before it prints anything.
  while riseml_now=$(date +%s); [ "${riseml_now:-0}" -lt "$riseml_until" ]; do
    [ -z "${riseml_signal-}" ] || { riseml_end="it was stopped"; break; }
    # Only opening the file lets an NFS client look whether it still exists.
    { read -r riseml_line < "$riseml_held"; } 2> /dev/null || { riseml_end="it was released"; break; }
    riseml_sleep_for 2
  done
  rm -f "$riseml_held"
  echo "riseml: the hold has ended after $(($(date +%s) - riseml_failed_at)) seconds: $riseml_end"
}

# A job of a gang that fails after another one has probably failed because of it.
riseml_failed_first() {
  [ -n "${RISEML_GANG-}" ] || return 0
  case $(cat "$RISEML_MEETING/over") in "$RISEML_JOB "*) return 0 ;; esac
  return 1
}
