#!/usr/bin/env bash
# PyYAML 6.0.3: `lr: 1e-6` is a text, and PyYAML writes the text "1e-6" in a way that other libraries read as a number.
#
# YAML 1.1, which PyYAML reads, wants a dot and a sign in a number with an exponent: 1.0e-6 is a number, 1e-6 is not. YAML 1.2 and JSON
# want neither. So a learning rate of a configuration is a str with PyYAML, and a float with ruamel.yaml 0.19.1, Go and JavaScript. And
# since PyYAML believes the text to need no quotes, what was a text for PyYAML is a number for whoever reads its output.
#
# Seen: safe_load("1e-6") is the str '1e-6', safe_load("1.0e-6") the float 1e-06; safe_dump("1e-6") has no quotes, and ruamel.yaml
# reads it as the float 1e-06.
set -euo pipefail
folder=$(mktemp -d)
trap 'rm -rf "$folder"' EXIT
cd "$folder"
python3 -m venv venv
venv/bin/pip install --quiet --disable-pip-version-check PyYAML==6.0.3 ruamel.yaml==0.19.1
cat > try.py << 'PYTHON'
import yaml
from ruamel.yaml import YAML

written = yaml.safe_dump({"lr": "1e-6"})
print(repr(yaml.safe_load("1e-6")), repr(yaml.safe_load("1.0e-6")), repr(YAML(typ="safe").load("1e-6")))
print(repr(written), repr(YAML(typ="safe").load(written)["lr"]))
PYTHON
output=$(venv/bin/python try.py)
echo "$output"
expected="'1e-6' 1e-06 1e-06
'lr: 1e-6\\n' 1e-06"
[ "$output" = "$expected" ] || { echo "changed"; exit 1; }
echo "as described"
