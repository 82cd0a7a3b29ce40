# First process of a container: runs the job's command, the arguments after the number of the container, and records its
# status. The command runs in the foreground: in the background, a shell would let it ignore INT.
#
#   /.riseml/started.<n>   made first; without it, or if it exists, this container does not run the job
#   /.riseml/log           the job's log, or the pipe to the filter that masks its secrets
#   /.riseml/status.<n>    the exit status of the command
#   /.riseml/oom           made if the kernel killed a process of the container for want of memory

riseml_number=$1
shift
(set -C && : > "/.riseml/started.$riseml_number") 2> /dev/null || exit 125
exec < /dev/null >> /.riseml/log 2>&1
"$@"
riseml_status=$?
for riseml_file in /sys/fs/cgroup/memory.events /sys/fs/cgroup/memory/memory.oom_control; do
  while read -r riseml_name riseml_count; do
    case $riseml_name$riseml_count in oom_kill0) ;; oom_kill[1-9]*) : > /.riseml/oom ;; esac
  done < "$riseml_file"
done 2> /dev/null
[ -z "${RISEML_OWNER-}" ] || chown -R "$RISEML_OWNER" /.riseml /riseml /output 2> /dev/null
echo "$riseml_status" > "/.riseml/status.$riseml_number"
