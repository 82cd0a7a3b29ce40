#!/usr/bin/env bash
# pydantic 2.12.5: the first model opens a file of every installed distribution.
#
# When the first model class is made, pydantic looks for plug-ins, and asks the metadata of all distributions on sys.path for entry
# points. In an environment with hundreds of packages, or on a network file system, this is what the start of a program waits for.
# PYDANTIC_DISABLE_PLUGINS=__all__ turns it off. It has to be set before the first model is made.
#
# Seen: with 40 further distributions, 40 further files entry_points.txt are looked for; with the variable none.
set -euo pipefail
folder=$(mktemp -d)
trap 'rm -rf "$folder"' EXIT
cd "$folder"
python3 -m venv venv
venv/bin/pip install --quiet --disable-pip-version-check pydantic==2.12.5
cat > try.py << 'PYTHON'
import sys

opened = []
sys.addaudithook(lambda event, arguments: opened.append(str(arguments[0])) if event == "open" else None)
import pydantic

before = len(opened)


class Model(pydantic.BaseModel):
    x: int


print(sum(name.endswith("entry_points.txt") for name in opened[before:]))
PYTHON
few=$(venv/bin/python try.py)
site=$(venv/bin/python -c 'import sysconfig; print(sysconfig.get_path("purelib"))')
for number in $(seq 40); do
  mkdir "$site/package$number-1.0.dist-info"
  printf 'Metadata-Version: 2.1\nName: package%s\nVersion: 1.0\n' "$number" > "$site/package$number-1.0.dist-info/METADATA"
done
many=$(venv/bin/python try.py)
none=$(PYDANTIC_DISABLE_PLUGINS=__all__ venv/bin/python try.py)
echo "files: $few, with 40 further distributions $many, with PYDANTIC_DISABLE_PLUGINS=__all__ $none"
[ "$((many - few))" = 40 ] || { echo "changed: the number does not follow the distributions"; exit 1; }
[ "$none" = 0 ] || { echo "changed: the variable does not turn it off"; exit 1; }
echo "as described"
