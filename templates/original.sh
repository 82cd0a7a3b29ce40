# Ends a copy of a Workflow, as `argo resubmit` makes one, before it writes to the folders of the original. Both names are
# unset for a Workflow without a number, whose folders have its own name.
if [ "${WORKFLOW-}" != "${ORIGINAL-}" ]; then
  riseml_copied="this is a copy of $ORIGINAL and would write to its folders; \`riseml rerun\` runs it again"
  echo "riseml: $riseml_copied" >&2
  # Argo shows this in the message of the Workflow's node.
  [ ! -w /dev/termination-log ] || printf %s "$riseml_copied" > /dev/termination-log
  exit 1
fi
