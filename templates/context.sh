# Brings the files that install steps may see, which are the arguments (`.`: all), to $RISEML_DIR/context.
set -eu
export GIT_DIR="$REPOSITORY" GIT_INDEX_FILE="$RISEML_DIR/context-index"
mkdir -p "$RISEML_DIR/context"
git -c safe.directory='*' read-tree "$REVISION"
if [ "${1-}" = . ]; then
  git -c safe.directory='*' checkout-index -q -a --prefix="$RISEML_DIR/context/"
elif [ $# -gt 0 ]; then
  git -c safe.directory='*' checkout-index -q --prefix="$RISEML_DIR/context/" -- "$@"
fi
