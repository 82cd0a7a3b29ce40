# Runs the lines, its arguments, one after the other in one shell, so that a `cd` in one line affects the next one.
set -e
# A failure anywhere in a pipeline counts. Older versions of dash lack this; `command` keeps them running.
command set -o pipefail 2> /dev/null || [ "${local_rank-0}" != 0 ] || riseml_hides=1
trap 'riseml_code=$?; [ "$riseml_code" != 0 ] || riseml_code=143; exit "$riseml_code"' TERM
trap 'riseml_code=$?; [ "$riseml_code" != 0 ] || riseml_code=130; exit "$riseml_code"' INT
for riseml_line in "$@"; do
  case ${riseml_hides-}$riseml_line in 1*[!\|]\|[!\|]*)
    echo "riseml: sh has no pipefail here, so only the last program of a pipeline can fail the job" >&2
    riseml_hides= ;;
  esac
  set --
  eval "$riseml_line
"
done
