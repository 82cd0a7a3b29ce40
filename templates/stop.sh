# Stops the lines of a job from the top, as an interactive shell would: first what their shell waits for, and what shells
# below it wait for, so that a trainer can save while its data loaders, its pool and `tee` still work. In a pipeline, a
# program that reads from another one gets its turn after that one has exited, and a second to see the end of its input.
# What is left over follows, again from the top. Every process gets the signal once. It needs /proc, but no `ps`.

# The engine kills a job after this time; the peers of a job that has failed, after the second one.
riseml_grace=30 riseml_peer_grace=10

# Reads state, parent and process group of a process. Fails if it has ended.
riseml_look() {
  riseml_stat=
  { read -r riseml_stat < "/proc/$1/stat"; } 2> /dev/null
  set -- ${riseml_stat##*) }
  riseml_parent=${2-} riseml_group=${3-}
  case ${1-X} in Z | X) return 1 ;; esac
}

# Sets riseml_now, in units of 10 ms.
riseml_look_at_clock() {
  read -r riseml_now riseml_idle < /proc/uptime
  riseml_now=${riseml_now%.*}${riseml_now#*.}
}

# `timeout` is like a shell, but passes a signal on to all processes below it, so it gets none.
riseml_is_shell() {
  ! riseml_is_timeout "$1" || return 0
  for riseml_shell in $riseml_shells; do
    [ ! "/proc/$1/exe" -ef "$riseml_shell" ] || return 0
  done
  return 1
}

riseml_is_timeout() {
  riseml_name=
  { read -r riseml_name < "/proc/$1/comm"; } 2> /dev/null
  [ "$riseml_name" = timeout ]
}

# Sets riseml_children to those of a process that has one thread.
riseml_find_children() {
  riseml_children=
  if [ -e "/proc/$1/task/$1/children" ]; then
    { read -r riseml_children < "/proc/$1/task/$1/children"; } 2> /dev/null
    return
  fi
  for riseml_folder in /proc/[0-9]*; do
    riseml_look "${riseml_folder#/proc/}" && [ "$riseml_parent" = "$1" ] || continue
    riseml_children="$riseml_children ${riseml_folder#/proc/}"
  done
}

# A shell starts background commands with INT ignored.
riseml_ignores_int() {
  riseml_value=
  while read -r riseml_field riseml_value; do
    [ "$riseml_field" != SigIgn: ] || break
  done < "/proc/$1/status"
  case $riseml_value in *[2367abef]) return 0 ;; esac
  return 1
} 2> /dev/null

# Gives a shell time to start a child: a copy of this shell would lose the signal, and a trap waits for a new child.
riseml_await_child() {
  for riseml_round in 1 2 3 4 5; do
    riseml_find_children "$1"
    riseml_look "$1" && riseml_is_shell "$1" && [ -z "$riseml_children" ] || return 0
    sleep 0.1 2> /dev/null || sleep 1
  done
}

# Adds a process to the targets, and what it waits for if it is a shell: children in the foreground, else all.
riseml_aim() {
  riseml_targets="$riseml_targets $1"
  riseml_is_shell "$1" || return 0
  riseml_find_children "$1"
  riseml_foreground=
  if ! riseml_ignores_int "$1"; then
    for riseml_child in $riseml_children; do
      riseml_ignores_int "$riseml_child" || riseml_foreground="$riseml_foreground $riseml_child"
    done
  fi
  [ -z "$riseml_foreground" ] || riseml_background="$riseml_background $riseml_children "
  set -- ${riseml_foreground:-$riseml_children}
  for riseml_child; do riseml_aim "$riseml_child"; done
}

# Succeeds if another process writes to the standard input of the first one.
riseml_has_writer() {
  riseml_input=/proc/$1/fd/0
  [ -p "$riseml_input" ] || return 1
  for riseml_writer; do
    [ "$riseml_writer" != "$1" ] || continue
    for riseml_file in "/proc/$riseml_writer/fd"/*; do
      [ "$riseml_file" -ef "$riseml_input" ] || continue
      riseml_flags=
      { read -r riseml_field && read -r riseml_field riseml_flags; } 2> /dev/null \
        < "/proc/$riseml_writer/fdinfo/${riseml_file##*/}"
      case $riseml_flags in *[12]) return 0 ;; esac
    done
  done
  return 1
}

riseml_send() {
  riseml_sent="$riseml_sent$1 "
  ! riseml_is_shell "$1" || riseml_sent_to_shells="$riseml_sent_to_shells$1 "
  riseml_is_timeout "$1" || kill "-$riseml_stop_signal" "$1" 2> /dev/null
}

# Sets riseml_members to living processes of the group that have not got the signal and are no targets.
riseml_find_members() {
  riseml_members=' '
  case $riseml_pid in -*) ;; *) return ;; esac
  for riseml_folder in /proc/[0-9]*; do
    riseml_member=${riseml_folder#/proc/}
    case "$riseml_sent $riseml_targets " in *" $riseml_member "*) continue ;; esac
    riseml_look "$riseml_member" && [ "-$riseml_group" = "$riseml_pid" ] || continue
    riseml_members="$riseml_members$riseml_member "
  done
}

# Sends the signal again to a process that was a copy of its shell then, which may have handled it.
riseml_send_again() {
  case $riseml_sent_to_shells in *" $1 "*) ;; *) return 0 ;; esac
  ! riseml_is_shell "$1" || return 0
  riseml_sent_to_shells="${riseml_sent_to_shells%% "$1" *} ${riseml_sent_to_shells#* "$1" }"
  riseml_send "$1"
}

# Makes members targets that no other one has started. With an argument, only writers to its standard input.
riseml_descend() {
  riseml_find_members
  riseml_tops=
  for riseml_member in $riseml_members; do
    [ -z "${1-}" ] || riseml_has_writer "$1" "$riseml_member" || continue
    riseml_look "$riseml_member" || continue
    case $riseml_members in *" $riseml_parent "*) ;; *) riseml_tops="$riseml_tops $riseml_member" ;; esac
  done
  set -- $riseml_tops
  for riseml_top; do
    riseml_aim "$riseml_top"
    eval "riseml_end_$riseml_top="
  done
  [ $# -gt 0 ]
}

# Sends the signal to a target, unless it reads from a living process.
riseml_offer() {
  if riseml_has_writer "$1" $riseml_targets; then
    eval "riseml_end_$1="
    return
  fi
  riseml_free=1
  if [ -p "/proc/$1/fd/0" ] && eval "[ -n \"\${riseml_end_$1+x}\" ]"; then
    eval "riseml_end=\$riseml_end_$1"
    if [ -z "$riseml_end" ]; then
      # A data loader, for instance, has the trainer's output, and may outlive it.
      riseml_descend "$1" || eval "riseml_end_$1=$((riseml_now + 100))"
      return
    fi
    [ "$riseml_now" -ge "$riseml_end" ] || return 0
  fi
  riseml_send "$1"
}

# Succeeds unless a target is a shell that only waits for targets or background commands.
riseml_is_busy() {
  riseml_is_shell "$1" || return 0
  riseml_find_children "$1"
  riseml_idle=
  for riseml_child in $riseml_children; do
    riseml_look "$riseml_child" || continue
    case " $riseml_targets $riseml_background " in *" $riseml_child "*) riseml_idle=1 && continue ;; esac
    # A user's trap saves something, or a process has just started.
    [ -z "${riseml_failed-}" ] || riseml_aim "$riseml_child"
    return 0
  done
  [ -z "$riseml_idle" ]
}

# One round. Fails once nothing is left to send the signal to.
riseml_stop_next() {
  set -- $riseml_targets
  riseml_targets=
  for riseml_target; do
    ! riseml_look "$riseml_target" || riseml_targets="$riseml_targets $riseml_target"
  done
  riseml_busy= riseml_free=
  set -- $riseml_targets
  for riseml_target; do
    case $riseml_sent in
      *" $riseml_target "*)
        riseml_send_again "$riseml_target"
        ! riseml_is_busy "$riseml_target" || riseml_busy=1 riseml_free=1
        ;;
      *) riseml_busy=$riseml_target; riseml_offer "$riseml_target" ;;
    esac
  done
  # Processes that read from each other in a circle.
  [ -z "$riseml_busy" ] || [ -n "$riseml_free" ] || riseml_send "$riseml_busy"
  [ -n "$riseml_busy" ] || riseml_descend
}

# At last, sends the signal to all that have not got it, except readers at the end of a pipeline.
riseml_stop_rest() {
  riseml_find_members
  for riseml_member in $riseml_members; do riseml_send "$riseml_member"; done
  set -- $riseml_targets
  for riseml_target; do
    case $riseml_sent in *" $riseml_target "*) continue ;; esac
    riseml_has_writer "$riseml_target" $riseml_targets && ! riseml_feeds "$riseml_target" || riseml_send "$riseml_target"
  done
}

riseml_feeds() {
  for riseml_reader in $riseml_targets; do
    ! riseml_has_writer "$riseml_reader" "$1" || return 0
  done
  return 1
}

# In dash and busybox, a trap within a trap changes the status of the command that it interrupts.
riseml_stop() {
  trap "" USR1 USR2 ALRM ${riseml_signal:+TERM INT HUP}
  riseml_stop_signal=$1
  if [ -r /proc/self/stat ]; then
    riseml_stop_in_turn
  else
    kill "-$1" "$riseml_pid" 2> /dev/null
  fi
  riseml_set_traps
}

riseml_stop_in_turn() {
  riseml_shells=/proc/self/exe
  for riseml_shell in sh bash dash ash zsh ksh mksh busybox; do
    for riseml_folder in /bin /usr/bin /usr/local/bin; do
      [ ! -e "$riseml_folder/$riseml_shell" ] || riseml_shells="$riseml_shells $riseml_folder/$riseml_shell"
    done
  done
  riseml_await_child "${riseml_pid#-}"
  riseml_look_at_clock
  riseml_over=$((riseml_now + (riseml_grace - 2) * 100))
  riseml_targets= riseml_background= riseml_sent=' ' riseml_sent_to_shells=' '
  riseml_aim "${riseml_pid#-}"
  for riseml_target in $riseml_targets; do
    ! riseml_has_writer "$riseml_target" $riseml_targets || eval "riseml_end_$riseml_target="
  done
  while riseml_stop_next; do
    [ ! -s "$RISEML_DIR/status" ] || riseml_failed=1
    sleep 0.1 2> /dev/null || sleep 1
    riseml_look_at_clock
    if [ -e "${RISEML_MEETING:-/proc/none}/over" ] && [ -n "$riseml_peer_grace" ]; then
      riseml_peer_over=$((riseml_now + (riseml_peer_grace - 2) * 100)) riseml_peer_grace=
      [ "$riseml_peer_over" -gt "$riseml_over" ] || riseml_over=$riseml_peer_over
    fi
    [ "$riseml_now" -lt "$riseml_over" ] || { riseml_stop_rest; return; }
  done
}
