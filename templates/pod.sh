# Recognizes a pod in place of a deleted or lost one, in the same attempt, by `pod.<job>.<attempt>`: `running` or `ended`, `met`
# after a gang's barrier, `stopped` after a signal (a killed job may be retried), `anew`.

riseml_begin_pod() {
  riseml_pod=$OUTPUT_DIR/.riseml/pod.$RISEML_JOB.${RISEML_ATTEMPT:-0} riseml_line= riseml_anew= riseml_met=
  { read -r riseml_line < "$riseml_pod"; } 2> /dev/null
  case $riseml_line in running* | *stopped*) [ -n "${RISEML_KILLED-}" ] || riseml_anew=" anew" ;; esac
  riseml_note_pod running
  [ -n "$riseml_anew" ] || return 0
  case ${RISEML_GANG:+gang}${RISEML_RETRIES_NODE_LOST-}$riseml_line in
    gang*met* | 1*) riseml_refuse_pod ;;
  esac
  echo "riseml: started anew after its pod was deleted"
}

riseml_note_pod() {
  echo "$1$riseml_met${riseml_signal:+ stopped}$riseml_anew" > "$riseml_pod"
}

riseml_refuse_pod() {
  riseml_line="pod deleted before the job had ended"
  echo "riseml: not started anew: $riseml_line" >&2
  [ ! -w /dev/termination-log ] || echo "$riseml_line" > /dev/termination-log
  [ -z "${RISEML_GANG-}" ] || (set -C; echo "$RISEML_JOB lost its pod" > "$RISEML_MEETING/over")
  [ -z "${riseml_tee-}" ] || riseml_close_log
  exit 143
}
