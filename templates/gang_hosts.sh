# Takes the place of the folder that the jobs of an experiment share, where they share none: makes the file of each job in
# this job's own RISEML_MEETING as soon as its host name has an address. It ends when all have one, or with the job.
riseml_find_peers() {
  mkdir -p "$RISEML_MEETING" || return
  riseml_absent=1
  while [ -n "$riseml_absent" ]; do
    riseml_absent=
    for riseml_member in $RISEML_GANG; do
      riseml_host=${riseml_member#*=}
      [ ! -e "$RISEML_MEETING/${riseml_member%%=*}" ] || continue
      if riseml_has_address "${riseml_host%:*}"; then
        : > "$RISEML_MEETING/${riseml_member%%=*}"
      else
        riseml_absent=1
      fi
    done
    [ -z "$riseml_absent" ] || sleep 1
  done
}

# Frameworks try again themselves where no program can tell.
riseml_has_address() {
  if command -v getent; then
    getent hosts "$1"
  elif command -v python3; then
    python3 -c 'import socket, sys; socket.getaddrinfo(sys.argv[1], None)' "$1"
  fi > /dev/null 2>&1
}

