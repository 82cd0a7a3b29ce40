# Runs the lines, which are the arguments, one after the other in one shell: what one does to it (`cd`) the next one sees.
set -e
trap 'riseml_code=$?; [ "$riseml_code" != 0 ] || riseml_code=143; exit "$riseml_code"' TERM
trap 'riseml_code=$?; [ "$riseml_code" != 0 ] || riseml_code=130; exit "$riseml_code"' INT
for riseml_line in "$@"; do
  set --
  eval "$riseml_line
"
done
