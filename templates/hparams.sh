# Records how the experiment has ended for TensorBoard's HPARAMS tab. `$riseml_session_success` and `$riseml_session_failure` are the
# contents of the file as formats of printf. It is written after the last attempt, since TensorBoard keeps the first state
# that it reads; what an earlier run in this folder has written is removed.

riseml_begin_session() {
  riseml_session_file=$OUTPUT_DIR/events.out.tfevents.9999999999.riseml.end
  [ ! -e "$riseml_session_file" ] || rm -f "$riseml_session_file"
}

riseml_end_session() {
  # Of several jobs, the first one speaks for the experiment.
  case $RISEML_JOB in *.1) ;; *.*) return 0 ;; esac
  if [ "$riseml_code" = 0 ]; then
    printf "$riseml_session_success" > "$riseml_session_file"
  elif [ "$((${RISEML_ATTEMPT:-0} + 1))" -ge "${RISEML_ATTEMPTS:-1}" ]; then
    printf "$riseml_session_failure" > "$riseml_session_file"
  fi
}
