# Ends the lines after RISEML_TIMEOUT seconds of their own time: pulling the image, the checkout, the wait for other jobs of the
# experiment and the end of the pod do not count.

riseml_begin_timeout() {
  riseml_start riseml_watch_time
  riseml_watcher=$riseml_beside
}

# Lines that have just ended have not timed out. A signal that came before the trap is lost, and short lines are over by then.
riseml_watch_time() {
  exec 2> /dev/null
  trap 'kill "$riseml_sleep"; exit' TERM
  kill -0 "${riseml_pid#-}" || exit
  riseml_sleep_for "$RISEML_TIMEOUT" || {
    echo "riseml: there is no sleep in this image, so only the cluster ends this job, an hour after its timeout"
    exit
  }
  kill -0 "${riseml_pid#-}" || exit
  printf %s "$RISEML_TIMEOUT" > "$RISEML_DIR/timeout"
  echo "riseml: stopped after $RISEML_TIMEOUT seconds, the timeout of this job"
  kill -TERM "$riseml_runner"
  riseml_sleep_for 30
  kill -KILL "$riseml_pid"
}

# A shell handles a signal while it waits, but not while it runs a command. If the signal comes before the shell knows the
# process, that remains until the job has ended, and must not hold the log open.
riseml_sleep_for() {
  sleep "$1" > /dev/null 2>&1 &
  riseml_sleep=$!
  wait "$riseml_sleep"
}

# The watcher goes on only while processes that were stopped take their time.
riseml_cause=
riseml_judge_time() {
  if [ -e "$RISEML_DIR/timeout" ]; then
    riseml_code=124 riseml_cause=" timeout"
  else
    riseml_end_timeout
  fi
}

riseml_end_timeout() {
  kill -TERM "$riseml_watcher"
} 2> /dev/null
