# Runs the lines in RISEML_PROCESSES processes. RISEML_EACH assigns the variables that tell a process its position, from
#   $rank $size              the process among those of all jobs
#   $local_rank $local_size  the process among those of this job
#   $node $nodes             the job among all jobs
#   $leader $leader_host $leader_port   the address of the process with rank 0
# The first process that fails ends the others, and its exit status is the job's. $riseml_lines is the text of session.sh.

riseml_begin() {
  node=$RISEML_NODE nodes=$RISEML_NODES local_rank=$1 local_size=$RISEML_PROCESSES
  rank=$((node * local_size + local_rank)) size=$((nodes * local_size))
  leader=$RISEML_LEADER leader_host=${RISEML_LEADER%:*} leader_port=${RISEML_LEADER##*:}
  eval "export $RISEML_EACH"
}

# Reports the exit status of a process. With riseml_delay, a failure of rank 0, which others depend on, comes first.
riseml_report() {
  [ "$2" = 0 ] || [ -z "${riseml_delay-}" ] || [ "$RISEML_NODE.$1" = 0.0 ] || sleep "$riseml_delay" 2> /dev/null || sleep 1
  echo "$1 $2" >&9
}

riseml_ends=$RISEML_DIR/ends
rm -f "$riseml_ends" "$RISEML_DIR/status"
mkfifo "$riseml_ends"
exec 9<> "$riseml_ends"
# Every process exits in its own time, and its status is recorded.
trap : TERM INT
riseml_started=0
while [ "$riseml_started" -lt "$RISEML_PROCESSES" ]; do
  (
    trap : TERM INT
    (
      exec 9>&-
      riseml_begin "$riseml_started"
      eval "$riseml_lines"
    )
    riseml_report "$riseml_started" "$?"
  ) &
  riseml_started=$((riseml_started + 1))
done

riseml_status=0 riseml_ended=0
while [ "$riseml_ended" -lt "$RISEML_PROCESSES" ]; do
  read -r riseml_process riseml_code <&9 || continue
  [ "$riseml_process" != over ] || break
  riseml_ended=$((riseml_ended + 1))
  [ "$riseml_code" != 0 ] && [ "$riseml_status" = 0 ] || continue
  riseml_status=$riseml_code
  [ "$RISEML_PROCESSES" = 1 ] ||
    echo "riseml: process $riseml_process of $RISEML_JOB failed with exit status $riseml_code" >&2
  # run.sh ends the others as it ends a job, and writes `over` if they do not exit.
  [ "$riseml_ended" != "$RISEML_PROCESSES" ] || break
  echo "$riseml_status" > "$RISEML_DIR/status"
  kill -USR1 "$riseml_runner"
done
exit "$riseml_status"
