# Supervises one job. script.py puts the job's steps behind these functions; the launcher runs the whole as `sh -s` in
# the job's directory, as leader of a session and of the process group of all its steps, and as their reaper: whatever
# a step leaves behind becomes a child of this shell. Its standard output goes nowhere; 3 and up are the steps' logs.
#
#   pid        the launcher's line, `<pid> <start time> <boot id> <time>`, and at the end ours: `<status> <step>[ alone]`.
#              Step -1 is the main command, others count the init steps; `alone` says that nothing of the job was left.
#              In one file, because a few bytes more fit on the fullest disk, and a file more costs most of a fork.
#   main       made as the main command starts, where init steps come before it: its time is the start
#   deadline   the main command ran longer than it may
#   stop       whoever wants the job to end makes this before sending TERM
#   swept      nothing of the job is left

key=$1 launcher=$3 # $2 tells people the directory
over= stopped= gone= sidecars= watchdog=
children=/proc/$$/task/$$/children

# A handler, not '': what is ignored here would be ignored by the job. A step runs in the foreground, where the shell
# hears of a signal only after the step's end; so its status is always its own.
trap 'stopped=129' HUP
trap 'stopped=130' INT
trap 'stopped=143' TERM
trap : QUIT PIPE ALRM USR1 USR2

# enter DIRECTORY: the first act of a step, before its command. A TERM that came while this was a mere copy of the
# supervisor is lost, so who sends one leaves the file `stop` before.
enter() {
  [ ! -e stop ] || exit 143
  cd -- "$1" 2>/dev/null || {
    printf 'riseml: the working directory %s does not exist or cannot be entered\n' "$1" >&2
    exit 127
  }
  export PWD
  unset OLDPWD
}

# record STATUS STEP [alone]: in one write, which ends with the line; so a reader sees all of it or nothing
record() {
  over=1
  echo "$*" >> pid
}

# Whether to go on: every step has succeeded and nobody has asked to stop.
proceed() {
  [ -z "$over" ] || return 1
  [ -n "$stopped" ] || return 0
  record "$stopped" -1
  return 1
}

# init INDEX STATUS
init() {
  [ "$2" = 0 ] || record "$2" "$1"
}

# nap SECONDS: also where `sleep` knows no fractions
nap() {
  sleep "$1" || sleep "${1%.*}"
}

# watch SECONDS
watch() {
  (
    trap '' HUP INT TERM
    nap "$1"
    true > deadline
    printf 'riseml: stopped after %s seconds, the timeout of this job\n' "$1" >&3
    kill -TERM 0
    nap "$grace"
    sweep || kill -KILL 0
  ) &
  watchdog=$!
}

# Kills all processes of this job but this shell.
sweep() {
  RISEML_JOB_KEY= "$python" $options "$bare" processes "$key" "$$"
}

# await PID: until that child is gone; a trapped signal ends `wait` early
await() {
  while kill -0 "$1"; do wait "$1"; done
}

# Ends the sidecars, by force after the grace period.
dismiss() {
  kill -TERM $sidecars
  (
    trap '' HUP INT TERM
    nap "$grace"
    kill -KILL $sidecars
  ) &
  reaper=$!
  for sidecar in $sidecars; do await "$sidecar"; done
  kill -KILL "$reaper"
  await "$reaper"
}

# alone: whether this shell has no children left; where the system cannot say, no
alone() {
  [ -r "$children" ] || return 1
  left=
  read -r left < "$children"
  [ -z "$left" ]
}

# finish STATUS: the main command has ended
finish() {
  if [ -z "$sidecars$watchdog" ] && alone; then
    record "$1" -1 alone
    gone=1
    return
  fi
  record "$1" -1
  [ -z "$watchdog" ] || { kill -KILL "$watchdog" && await "$watchdog"; }
  [ -z "$sidecars" ] || dismiss
}

# Nothing of the job outlives it. (`true`: a failed redirection of `:` would end this shell.)
clean() {
  [ -z "$gone" ] || return
  alone || sweep || return
  true > swept
}
