# Runs the lines, its arguments, one after the other in one shell, so that a `cd` in one line affects the next one.
set -e
trap 'riseml_code=$?; [ "$riseml_code" != 0 ] || riseml_code=143; exit "$riseml_code"' TERM
trap 'riseml_code=$?; [ "$riseml_code" != 0 ] || riseml_code=130; exit "$riseml_code"' INT
for riseml_line in "$@"; do
  set --
  eval "$riseml_line
"
done
