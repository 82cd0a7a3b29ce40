# Supervisor of one job. supervise.py appends the job's steps to these functions, and the launcher runs the result with
# `sh -s` in the job's directory. This shell leads a session and the process group of all steps. It is also their reaper:
# processes that a step leaves behind become its children. Its standard output is discarded; descriptors from 3 on are the
# logs of the steps. Files in the job's directory:
#
#   pid        the launcher's line `<pid> <start time> <boot id> <time>`, then `begun`, and at the end
#              `<status> <step>[ alone]`. Step -1 is the main command, others count the init steps; `alone` means that no
#              process of the job was left. All are in one file, because a few more bytes fit on a full disk, and one
#              more file costs most of a fork. A line for each sidecar that failed may follow, from step -2 downwards.
#   unfound    the reason why the main command or a sidecar cannot be run
#   main       made when the main command starts after init steps; its time is the start
#   deadline   made when the main command has reached its deadline
#   stop       made by a process that stops the job, before it sends TERM
#   swept      made when no process of the job is left

# $2, the directory, only makes the job recognizable in a list of processes.
key=$1 launcher=$3
groups= data_limit=
begun= over= stopped= gone= sidecars= watchdog=
children=/proc/$$/task/$$/children

# The traps are handlers and not '', because the job would inherit ignored signals. A step runs in the foreground, where
# the shell handles a signal only after the step's end, so the status is always that of the step.
trap 'stopped=129' HUP
trap 'stopped=130' INT
trap 'stopped=143' TERM
trap : QUIT PIPE ALRM USR1 USR2

# enter DIRECTORY: prepares a step, before its command. A TERM that comes while the step is still a copy of the supervisor
# is lost, so the sender makes the file `stop` first.
enter() {
  [ ! -e stop ] || exit 143
  [ -z "$groups$data_limit" ] || limit
  cd -- "$1" 2>/dev/null || {
    printf 'riseml: the working directory %s does not exist or cannot be entered\n' "$1" >&2
    exit 127
  }
  riseml_directory=$OLDPWD
  export PWD
  unset OLDPWD
}

# limit: lets this process and those that it will start use no more than the job requests. Written to a group, 0 is the
# process that writes.
limit() {
  for group in $groups; do
    echo 0 > "$group/cgroup.procs" && continue
    printf 'riseml: cannot enter the control group %s, which limits this job\n' "$group" >&2
    exit 126
  done
  # A limit of the user's own may be lower.
  [ -z "$data_limit" ] || ulimit -d "$data_limit" 2> /dev/null || true
}

# locate COMMAND: ends a step whose command cannot be run as Argo does, before the shell would.
locate() {
  case $1 in
    */*)
      [ ! -f "$1" ] || [ ! -x "$1" ] || return 0
      reason="stat $1: no such file or directory"
      [ ! -e "$1" ] || reason='permission denied'
      ;;
    *)
      command -v -- "$1" > /dev/null && return
      reason='executable file not found in $PATH'
      ;;
  esac
  printf 'riseml: the command %s cannot be run: %s\n' "$1" "$reason" >&2
  printf 'exec: "%s": %s' "$1" "$reason" > "$riseml_directory/unfound"
  exit 64
}

# record STATUS STEP [alone]: appends the line in one write, so that a reader sees either all of it or nothing.
record() {
  over=1
  echo "$*" >> pid
}

# proceed: succeeds if every step so far has succeeded and no signal has come. The line `begun` precedes the first step. If it
# cannot be written, no step runs, because a job without it may be started again.
proceed() {
  [ -z "$over" ] || return 1
  if [ -n "$stopped" ]; then
    record "$stopped" -1
    return 1
  fi
  [ -n "$begun" ] || echo begun >> pid || { over=1; return 1; }
  begun=1
}

# init INDEX STATUS: records an init step that failed.
init() {
  [ "$2" = 0 ] || record "$2" "$1"
}

# nap SECONDS: sleeps; some versions of `sleep` do not accept fractions.
nap() {
  sleep "$1" || sleep "${1%.*}"
}

# watch SECONDS: enforces the deadline in the background.
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

# sweep: kills all processes of this job except this shell.
sweep() {
  RISEML_JOB_KEY= "$python" $options "$bare" processes "$key" "$$"
}

# await PID: waits until a child is gone, and sets ended to its status; a trapped signal makes `wait` return early.
await() {
  wait "$1"
  ended=$?
  while kill -0 "$1"; do
    wait "$1"
    ended=$?
  done
}

# leave STEP PID: waits for a sidecar, and records it if it failed. As in Argo, the signals that end it are no failures.
leave() {
  await "$2"
  case $ended in 0 | 137 | 143) ;; *) record "$ended" "$1" ;; esac
}

# dismiss: ends the sidecars, and kills them after the grace period.
dismiss() {
  kill -TERM $sidecars
  (
    trap '' HUP INT TERM
    nap "$grace"
    kill -KILL $sidecars
  ) &
  reaper=$!
  step=-2
  for sidecar in $sidecars; do
    leave "$step" "$sidecar"
    step=$((step - 1))
  done
  kill -KILL "$reaper"
  await "$reaper"
}

# alone: succeeds if this shell has no children left; fails if the system cannot list them.
alone() {
  [ -r "$children" ] || return 1
  left=
  read -r left < "$children"
  [ -z "$left" ]
}

# finish STATUS: records the end of the main command, and ends what runs beside it.
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

# clean: ends all remaining processes of the job. It uses `true`, since a failed redirection of `:` would end this shell.
clean() {
  [ -z "$gone" ] || return
  alone || sweep || return
  true > swept
}
