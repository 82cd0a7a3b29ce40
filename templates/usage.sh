# Records what the container of a job has used, as JSON for the output `usage`, from the files of its control group: version 2,
# or version 1. The file with the peak counts cached files as well, so it is used only for a job without a sample. Nothing
# here starts a process.

riseml_cgroup=${RISEML_CGROUP:-/sys/fs/cgroup}

# riseml_first FILE...: sets riseml_value to the first line of the first file that can be read, else to nothing.
riseml_first() {
  riseml_value=
  for riseml_file; do
    [ ! -r "$riseml_file" ] || ! read -r riseml_value < "$riseml_file" || return 0
  done
}

riseml_begin_usage() {
  riseml_first /proc/uptime
  riseml_began=${riseml_value%% *}
}

# Keeps the largest amount of memory so far, without files that the kernel can drop, in the file `mem`.
riseml_sample_memory() {
  riseml_first "$riseml_cgroup/memory.current" "$riseml_cgroup/memory/memory.usage_in_bytes"
  [ -n "$riseml_value" ] || return 0
  riseml_used=$riseml_value riseml_stat=$riseml_cgroup/memory.stat
  [ -r "$riseml_stat" ] || riseml_stat=$riseml_cgroup/memory/memory.stat
  while read -r riseml_name riseml_value; do
    case $riseml_name in total_inactive_file | inactive_file) riseml_cached=$riseml_value ;; esac
  done < "$riseml_stat"
  riseml_used=$((riseml_used - ${riseml_cached:-0}))
  [ "$riseml_used" -le "${riseml_most:-0}" ] || { riseml_most=$riseml_used; echo "$riseml_most" > "$RISEML_DIR/mem"; }
}

riseml_end_usage() {
  riseml_first "$RISEML_DIR/mem" "$riseml_cgroup/memory.peak" "$riseml_cgroup/memory/memory.max_usage_in_bytes"
  riseml_most=$riseml_value
  # Microseconds in version 2, nanoseconds in version 1
  riseml_first "$riseml_cgroup/cpu.stat"
  case $riseml_value in
    usage_usec*) riseml_cpu=${riseml_value#usage_usec } ;;
    *)
      riseml_first "$riseml_cgroup/cpuacct/cpuacct.usage"
      riseml_cpu=${riseml_value:+$((riseml_value / 1000))}
      ;;
  esac
  riseml_first /proc/uptime
  riseml_ended=${riseml_value%% *}
  [ -n "$riseml_most" ] && [ -n "$riseml_cpu" ] && [ -n "${riseml_began-}" ] && [ -n "$riseml_ended" ] || return 0
  # A shell has no fractions, and takes a number that begins with 0 for an octal one.
  riseml_hundredths=$((${riseml_ended%.*} * 100 + 1${riseml_ended#*.} - ${riseml_began%.*} * 100 - 1${riseml_began#*.}))
  [ "$riseml_hundredths" -gt 0 ] || riseml_hundredths=1
  riseml_cpu=$((riseml_cpu / riseml_hundredths / 10))
  printf '{"mem_peak":%s,"cpu_mean":%d.%03d}' "$riseml_most" $((riseml_cpu / 1000)) $((riseml_cpu % 1000)) > "$RISEML_DIR/usage"
}
