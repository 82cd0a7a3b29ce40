# Becomes a command beside the main command of a pod, with the environment of the job's programs. The arguments are a file
# in RISEML_DIR that receives the pid of the command, a greeting in which {directory} stands for the working directory, and the command.
# Without one, it is bash, else sh. POSIX sh, without `ps`.

# Sets riseml_program to the oldest process with the variables that run.sh exports. The `grep` of busybox stops at NUL.
riseml_find_program() {
  riseml_program= riseml_oldest=
  for riseml_file in /proc/[0-9]*/environ; do
    case $({ tr '\000' '\n' < "$riseml_file"; } 2> /dev/null) in *PYTHONPATH="$RISEML_DIR/lib"*) ;; *) continue ;; esac
    riseml_stat=
    { read -r riseml_stat < "${riseml_file%environ}stat"; } 2> /dev/null
    set -- ${riseml_stat##*) }
    # The time of its start.
    [ -n "${20-}" ] || continue
    [ -z "$riseml_oldest" ] || [ "${20}" -lt "$riseml_oldest" ] || continue
    riseml_program=$riseml_file riseml_oldest=${20}
  done
}

# Exports what the program has. Line ends within a value are passed on as another character.
riseml_export_all() {
  while IFS= read -r riseml_entry; do
    case ${riseml_entry%%=*} in
      '' | *[!A-Za-z0-9_]* | [0-9]*) continue ;;
      _ | PWD | OLDPWD | SHLVL | TERM | UID | EUID | PPID | SHELLOPTS | BASHOPTS | BASH_VERSINFO | riseml_*) continue ;;
    esac
    case $riseml_entry in *"$riseml_line_end"*)
      riseml_entry=$(printf '%sx' "$riseml_entry" | tr '\001' '\n') riseml_entry=${riseml_entry%x} ;;
    esac
    export "$riseml_entry"
  done << END
$(tr '\000\n' '\n\001' < "$riseml_program")
END
}

# Enters the working directory of run.sh, the child of Argo's executor.
riseml_enter() {
  for riseml_file in /proc/1/task/*/children; do
    riseml_child=
    { read -r riseml_child riseml_others < "$riseml_file"; } 2> /dev/null
    [ -z "$riseml_child" ] || { cd -P "/proc/$riseml_child/cwd" 2> /dev/null && return; }
  done
}

riseml_pid_file=$1 riseml_greeting=$2
shift 2
riseml_line_end=$(printf '\001')
riseml_join() {
  riseml_find_program
  if [ -n "$riseml_program" ]; then
    riseml_export_all
  elif [ -n "${RISEML_DIR-}" ]; then
    export PYTHONPATH="$RISEML_DIR/lib${PYTHONPATH:+:$PYTHONPATH}" "PYTHONUNBUFFERED=${PYTHONUNBUFFERED-1}"
  fi
  riseml_enter
}
[ -z "${RISEML_DIR-}" ] || riseml_join
if [ $# = 0 ]; then
  [ -z "$riseml_greeting" ] || printf '%s\n' "${riseml_greeting%%\{directory\}*}$PWD${riseml_greeting#*\{directory\}}"
  command -v bash > /dev/null && set -- bash || set -- sh
elif ! command -v -- "$1" > /dev/null; then
  echo "riseml: the job has no command $1" >&2
  exit 127
fi
[ -z "$riseml_pid_file" ] || echo "$$" 2> /dev/null > "${RISEML_DIR:-/tmp}/$riseml_pid_file"
exec "$@"
