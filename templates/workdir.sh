# Keeps what the lines create or change in the working directory: it is copied to the output volume, so that it outlives
# the pod. A file has changed if its ctime is later than that of $RISEML_DIR/started.

riseml_mark_workdir() {
  riseml_code_dir=$PWD riseml_kept=$OUTPUT_DIR/workdir riseml_title=workdir/
  [ -z "${RISEML_GANG-}" ] || riseml_kept=$riseml_kept/$RISEML_JOB riseml_title=workdir/$RISEML_JOB/
  if [ -d "$RISEML_DIR/code" ]; then
    # The code was placed just now: its files must not seem to be as young as those of the lines.
    : > "$RISEML_DIR/started"
    sleep 0.02 2> /dev/null || sleep 1
  fi
  [ -e "$RISEML_DIR/started" ] || : > "$RISEML_DIR/started"
  # On one machine, the engine does the rest, unless the code is in the image of a container.
  [ "${RISEML_LOGGED-}${RISEML_KEEP_WORKDIR-}" != 1 ] || return 0
  riseml_newer=-cnewer
  find "$RISEML_DIR/started" -cnewer "$RISEML_DIR/started" > /dev/null 2>&1 || riseml_await_second
  [ -e "$riseml_kept" ] || return 0
  # An earlier attempt has left it.
  riseml_earlier=$OUTPUT_DIR/workdir.${RISEML_ATTEMPT:-0}${riseml_kept#"$OUTPUT_DIR/workdir"}
  mkdir -p "${riseml_earlier%/*}" && mv "$riseml_kept" "$riseml_earlier"
}

# Waits until files of the lines are younger for the find of busybox, which compares whole seconds of the mtime.
riseml_await_second() {
  riseml_newer=-newer
  while [ "$(date +%s)" = "$(date -r "$RISEML_DIR/started" +%s 2> /dev/null)" ]; do
    sleep 0.1 2> /dev/null || sleep 1
  done
}

# Lists the changed files, and appends them to the command in the arguments.
riseml_each_changed() {
  find . \( -name __pycache__ -o -name .git \) -prune -o \( -type f -o -type l \) \
    "$riseml_newer" "$RISEML_DIR/started" $riseml_below -exec "$@" {} +
}

# Copies files, the arguments, to $riseml_kept. Those of the same folder share one call.
riseml_copy_files='
riseml_folder= riseml_status=0 riseml_begun=
riseml_flush() {
  [ $# -gt 0 ] || return 0
  mkdir -p "$riseml_kept/$riseml_folder" && cp -P "$@" "$riseml_kept/$riseml_folder/" || riseml_status=1
}
for riseml_file; do
  [ -n "$riseml_begun" ] || { riseml_begun=1; set --; }
  if [ "${riseml_file%/*}" != "$riseml_folder" ] || [ $# -ge 200 ]; then
    riseml_flush "$@"
    set --
    riseml_folder=${riseml_file%/*}
  fi
  set -- "$@" "$riseml_file"
done
riseml_flush "$@"
exit "$riseml_status"
'

# Reads lines of `<bytes> <name>`, the smallest first. Prints a note about what is kept below `limit`; the first line is
# the size of the smallest file that is left out, or empty.
riseml_describe='
function text(bytes, unit) {
  for (unit = 0; unit < 4 && bytes >= 1000; unit++) bytes /= 1000
  return unit ? sprintf("%.3g %s", bytes, substr("kBMBGBTB", 2 * unit - 1, 2)) : bytes (bytes == 1 ? " byte" : " bytes")
}
!/^[0-9]+ / { next }
{ name = substr($0, length($1) + 2); sub(/^\.\//, "", name); total++; size[total] = $1 + 0; names[total] = name }
END {
  for (kept = 0; kept < total && sum + size[kept + 1] <= limit; kept++) sum += size[kept + 1]
  bound = kept < total ? size[kept + 1] : ""
  while (kept > 0 && kept < total && size[kept] == bound) sum -= size[kept--]
  print bound
  if (kept) printf "%d file%s, %s, in %s", kept, kept == 1 ? "" : "s", text(sum), title
  if (kept == total) exit
  printf "%snot kept, over the workdir_limit of %s: ", kept ? "; " : "", text(limit)
  for (i = total; i > kept && i > total - 3; i--) printf "%s%s (%s)", i < total ? ", " : "", names[i], text(size[i])
  if (i > kept) printf " and %d more", i - kept
}
'

riseml_keep_workdir() {
  # A build has no code. In its directory, /proc alone would fill the output volume.
  [ "$riseml_code_dir" != / ] || return 0
  if ! command -v find > /dev/null; then
    echo "riseml: there is no find in this image, so files in $riseml_code_dir are not kept; write to \$OUTPUT_DIR" >&2
    return
  fi
  export riseml_kept
  cd "$riseml_code_dir" && riseml_keep_changed || echo "riseml: files in $riseml_code_dir were not kept" >&2
}

riseml_keep_changed() {
  riseml_below= riseml_note=
  # In an image without these tools, everything is copied.
  riseml_sizes=$({ riseml_each_changed stat -c '%s %n' | sort -n |
    awk -v limit="${RISEML_WORKDIR_LIMIT:-10000000000}" -v title="$riseml_title" "$riseml_describe"; } 2> /dev/null)
  # The first line is the bound.
  riseml_bound=${riseml_sizes%%"$riseml_line_end"*}
  riseml_note=${riseml_sizes#"$riseml_bound"}
  riseml_note=${riseml_note#"$riseml_line_end"}
  [ -z "$riseml_bound" ] || riseml_below="-size -${riseml_bound}c"
  riseml_each_changed sh -c "$riseml_copy_files" riseml ||
    riseml_note="$riseml_note; some files could not be copied, see the log of $RISEML_JOB"
  [ -n "$riseml_note" ] || return 0
  printf %s "${riseml_note#; }" > "$RISEML_DIR/workdir"
  cp "$RISEML_DIR/workdir" "$OUTPUT_DIR/.riseml/workdir.$RISEML_JOB.${RISEML_ATTEMPT:-0}"
}

riseml_line_end='
'
