#!/usr/bin/env bash
# PyYAML 6.0.3, CPython 3.11: a quarter or more of `import yaml` is the compilation of one pattern, also if libyaml does all the reading.
#
# `yaml.reader.Reader.NON_PRINTABLE` is compiled when the class is made. Its range up to U+10FFFF makes that take milliseconds. Only the
# reader in Python uses it; CSafeLoader has a reader of its own in C. A program that only uses the C loader pays for it at every start.
#
# Seen: compiling this pattern takes more than 20 % of the import in each of five processes, and CSafeLoader reads a file while
# nothing reads the pattern.
set -euo pipefail
folder=$(mktemp -d)
trap 'rm -rf "$folder"' EXIT
cd "$folder"
python3 -m venv venv
venv/bin/pip install --quiet --disable-pip-version-check PyYAML==6.0.3
cat > try.py << 'PYTHON'
import re
import time

compile_pattern = re.compile
seconds = {}


def timed(pattern, *arguments):
    begin = time.perf_counter()
    compiled = compile_pattern(pattern, *arguments)
    seconds[pattern] = time.perf_counter() - begin
    return compiled


re.compile = timed
begin = time.perf_counter()
import yaml

total = time.perf_counter() - begin
share = seconds[yaml.reader.Reader.NON_PRINTABLE.pattern] / total
# The loader in C does not need it.
del yaml.reader.Reader.NON_PRINTABLE
assert yaml.load("a: [1, 2]", Loader=yaml.CSafeLoader) == {"a": [1, 2]}
try:
    yaml.load("a: [1, 2]", Loader=yaml.SafeLoader)
except AttributeError:
    print(int(100 * share))
PYTHON
shares=$(for _ in 1 2 3 4 5; do venv/bin/python try.py; done)
echo "percent of the import:" $shares
for share in $shares; do
  [ "$share" -gt 20 ] || { echo "changed: the pattern takes $share % of the import"; exit 1; }
done
[ "$(echo "$shares" | wc -l)" = 5 ] || { echo "changed: the Python loader does not need the pattern"; exit 1; }
echo "as described"
