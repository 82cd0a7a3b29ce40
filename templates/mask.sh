# Masks the secrets of a job, the variables that RISEML_SECRETS names, in the copies of its output that a pod makes. The text
# of masking.py, `$riseml_masking`, does that. In an image without Python 3.7 or newer, the shell does: line by line, so
# that an unfinished line appears at its end, and without encoded forms.

riseml_copy_masked() {
  for riseml_python in python3 python; do
    "$riseml_python" -I -S -c 'from __future__ import annotations' 2> /dev/null || continue
    exec "$riseml_python" -I -S -c "$riseml_masking" "$riseml_log" < "$riseml_pipe"
  done
  riseml_list_hidden
  exec 3>> "$riseml_log" < "$riseml_pipe"
  while IFS= read -r riseml_text || [ -n "$riseml_text" ]; do
    riseml_mask
    printf '%s\n' "$riseml_text"
    printf '%s\n' "$riseml_text" >&3
  done
  exit
}

# Sets riseml_hidden_1 and so on to the lines of the secrets, the longest first, since one may contain another.
riseml_list_hidden() {
  LC_ALL=C riseml_hidden=0
  for riseml_name in $RISEML_SECRETS; do
    eval "riseml_value=\${$riseml_name-}"
    riseml_rest=$riseml_value
    while [ -n "$riseml_rest" ]; do
      riseml_hide "${riseml_rest%%"$riseml_line_end"*}"
      case $riseml_rest in *"$riseml_line_end"*) riseml_rest=${riseml_rest#*"$riseml_line_end"} ;; *) break ;; esac
    done
  done
}

# Adds a line of riseml_value, unless it is so short that it is common elsewhere.
riseml_hide() {
  [ "$1" = "$riseml_value" ] || [ "${#1}" -ge 8 ] || return 0
  riseml_index=$riseml_hidden riseml_hidden=$((riseml_hidden + 1))
  while [ "$riseml_index" -gt 0 ]; do
    eval "riseml_other=\$riseml_hidden_$riseml_index"
    [ "${#riseml_other}" -lt "${#1}" ] || break
    eval "riseml_hidden_$((riseml_index + 1))=\$riseml_other"
    riseml_index=$((riseml_index - 1))
  done
  eval "riseml_hidden_$((riseml_index + 1))=\$1"
}

# Masks riseml_text.
riseml_mask() {
  riseml_index=0
  while [ "$riseml_index" -lt "$riseml_hidden" ]; do
    riseml_index=$((riseml_index + 1))
    eval "riseml_value=\$riseml_hidden_$riseml_index"
    riseml_rest=$riseml_text riseml_text=
    while :; do
      case $riseml_rest in *"$riseml_value"*) ;; *) break ;; esac
      riseml_text="$riseml_text${riseml_rest%%"$riseml_value"*}***"
      riseml_rest=${riseml_rest#*"$riseml_value"}
    done
    riseml_text=$riseml_text$riseml_rest
  done
}

# Masks what programs have written into the file of results themselves.
riseml_mask_results() {
  for riseml_name in $RISEML_SECRETS; do
    eval "printf '%s\n' \"\${$riseml_name-}\""
  done | grep -q -F -f - "$RESULT_FILE" || return 0
  rm -f "$RESULT_FILE.masked"
  (riseml_log=$RESULT_FILE.masked riseml_pipe=$RESULT_FILE; riseml_copy_masked) > /dev/null &&
    mv -f "$RESULT_FILE.masked" "$RESULT_FILE"
}
