# Chooses the parameters of a round, with the modules in $RISEML_MODULES. A line `#: riseml/<path>` there begins each file.

riseml_lacks() {
  echo "riseml: $1, and the search needs Python 3.11 or newer$2" >&2
  exit 127
}

riseml_python=$(command -v python3 || command -v python) || riseml_lacks "there is no python here" ""
"$riseml_python" -c 'import sys; sys.exit(sys.version_info < (3, 11))' ||
  riseml_lacks "$("$riseml_python" -V) is too old" ": name one in \`search: {image: …}\`, or put it first on your PATH"
riseml_unpack='
import os, sys
os.chdir(sys.argv[1])
for text in os.environ["RISEML_MODULES"].split("#: riseml/")[1:]:
    path, _, source = text.partition("\n")
    path = os.path.join("riseml", path)
    os.makedirs(os.path.dirname(path), exist_ok=True)
    with open(path, "w", encoding="utf-8") as file:
        file.write(source)
'
mkdir -p "$RISEML_DIR/search" && "$riseml_python" -c "$riseml_unpack" "$RISEML_DIR/search" || exit
unset RISEML_MODULES
# The library of jobs, and a package that somebody has installed, have the same name. The working directory comes first.
cd "$RISEML_DIR/search" || exit
export PYTHONPATH="$RISEML_DIR/search${PYTHONPATH:+:$PYTHONPATH}"
exec "$riseml_python" -m riseml.rounds.step
