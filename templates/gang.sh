# Start barrier for the jobs of one experiment, RISEML_GANG (`job=host:port` words). They meet in RISEML_MEETING, a
# folder of the output volume that they share, where every job makes a file with its name. If they have not all met
# RISEML_GANG_TIMEOUT seconds after the first one, which is empty where all start together, those that are there exit with
# status 175. Argo starts such jobs again, in a further round with a folder of its own. So a gang that gets resources for
# only some of its jobs gives them back, and no wait for room fails a run. Argo cannot start a daemon again: with
# RISEML_STAYS, a job waits for the next round where it is.

riseml_meet() {
  mkdir -p "$RISEML_MEETING" || riseml_give_up "cannot write to the output directory $OUTPUT_DIR"
  riseml_pauses=0
  riseml_enter_round
  while riseml_arrive; riseml_miss; [ -n "$riseml_missing" ]; do
    [ -z "${riseml_signal-}" ] || riseml_leave 143
    [ ! -e "$RISEML_MEETING/over" ] || riseml_leave 143 "$(cat "$RISEML_MEETING/over") before all jobs had met"
    [ -z "$RISEML_GANG_TIMEOUT" ] || riseml_watch_deadline
    riseml_pause
  done
  [ -n "$RISEML_GANG_TIMEOUT" ] || return 0
  # Another job may have given up in this moment. All obey whoever decides first.
  riseml_decide go
  [ "$riseml_decision" = go ] || riseml_meet
}

# Enters the first round without the decision to give up. Jobs that come soon after one make room for other gangs: the
# scheduler may first give them what their own gang has just given back.
riseml_enter_round() {
  riseml_room=$RISEML_MEETING riseml_round=0
  while riseml_read_decision; do
    [ "$riseml_decision" != go ] || break
    if [ -z "${RISEML_STAYS-}" ] && [ "$(date +%s)" -lt "${riseml_decision#* }" ]; then
      riseml_leave 175 "its gang has just given its resources back, and tries again soon"
    fi
    riseml_round=$((riseml_round + 1))
    riseml_room=$RISEML_MEETING/round.$riseml_round
  done
  mkdir -p "$riseml_room"
}

riseml_read_decision() {
  [ -e "$riseml_room/decision" ] && read -r riseml_decision < "$riseml_room/decision"
}

# Makes `$1` the decision of this round unless there is one, and obeys that which stands.
riseml_decide() {
  (set -C; echo "$1" > "$riseml_room/decision") 2> /dev/null
  until riseml_read_decision; do sleep 0.1 2> /dev/null || sleep 1; done
  [ "$riseml_decision" != go ] || return 0
  [ -z "${RISEML_STAYS-}" ] || { riseml_enter_round; return; }
  : "${riseml_missing:=the others gave up}"
  printf %s "$riseml_missing" > "$RISEML_DIR/missing"
  riseml_leave 175 "after $RISEML_GANG_TIMEOUT seconds, the gang_timeout, $riseml_missing"
}

# The random part lets one of several waiting gangs give up before the others, which then have room.
riseml_watch_deadline() {
  [ ! -e "$riseml_room/decision" ] || riseml_decide go
  [ -z "${RISEML_STAYS-}" ] || return 0
  riseml_now=$(date +%s)
  [ -n "$riseml_now" ] || return 0 # A signal came.
  if [ ! -e "$riseml_room/deadline" ]; then
    riseml_draw
    riseml_deadline=$((riseml_now + RISEML_GANG_TIMEOUT + riseml_random % (RISEML_GANG_TIMEOUT / 2 + 1)))
    (set -C; echo "$riseml_deadline" > "$riseml_room/deadline") 2> /dev/null
  fi
  read -r riseml_deadline < "$riseml_room/deadline" || return 0 # It is being written.
  [ "$riseml_now" -ge "$riseml_deadline" ] || return 0
  [ -z "$riseml_unknown" ] || riseml_leave 75 "after $RISEML_GANG_TIMEOUT seconds, the gang_timeout, $riseml_missing"
  riseml_draw
  [ "$riseml_round" -lt 5 ] && riseml_longer=$((riseml_round * 20)) || riseml_longer=100
  riseml_decide "release $((riseml_now + 20 + riseml_random % (20 + riseml_longer)))"
}

# Sets riseml_random to a number of 32 bits, without starting a program.
riseml_draw() {
  riseml_random=0
  [ ! -r /proc/sys/kernel/random/uuid ] || read -r riseml_random < /proc/sys/kernel/random/uuid
  riseml_random=$((0x0${riseml_random%%-*}))
}

# Makes this job's file, repeatedly while the job waits: after a change of its own, an NFS client reads the folder from
# the server again.
riseml_arrive() {
  : > "$riseml_room/.$RISEML_JOB" && mv -f "$riseml_room/.$RISEML_JOB" "$riseml_room/$RISEML_JOB"
}

# Describes in riseml_missing which jobs are missing or, once all have arrived, which host names cannot be resolved.
riseml_miss() {
  riseml_missing= riseml_unknown=
  for riseml_member in $RISEML_GANG; do
    [ -e "$riseml_room/${riseml_member%%=*}" ] || riseml_missing="$riseml_missing ${riseml_member%%=*}"
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
  [ -z "${riseml_pod-}" ] || riseml_note_pod ended
  [ -z "${riseml_tee-}" ] || riseml_close_log
  exit "$1"
}

# Informs jobs that arrive later that this one has failed: Argo creates a pod again if it was deleted before it started.
# A job that fails after another one has probably failed because of it, and waits to be ended with its peers. So the first
# failure is also the first that is recorded.
riseml_part() {
  [ "$riseml_code" != 0 ] || return 0
  # Only jobs that have not begun are started again after this status.
  [ "$riseml_code" != 175 ] || riseml_code=174
  (set -C; echo "$RISEML_JOB exited with status $riseml_code" > "$RISEML_MEETING/over") 2> /dev/null && return
  case $(cat "$RISEML_MEETING/over") in "$RISEML_JOB "*) return ;; esac
  riseml_pauses=0
  while [ -z "${riseml_signal-}" ] && [ "$riseml_pauses" -lt $((30 + ${RISEML_HOLD:-0})) ]; do
    riseml_pauses=$((riseml_pauses + 1))
    sleep 1
  done
}
