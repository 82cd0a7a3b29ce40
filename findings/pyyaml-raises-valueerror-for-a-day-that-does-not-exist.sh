#!/usr/bin/env bash
# PyYAML 6.0.3: a plain word that looks like a date makes safe_load raise a ValueError without a position, not a YAMLError.
#
# `2026-02-30` is a valid plain scalar. The resolver takes it for a timestamp by its form, and the constructor calls
# datetime.date, which refuses it. So `except yaml.YAMLError` around a file of a user does not catch it, and neither line nor
# column is known. The kubernetes client 37.0.2 reads a kubeconfig with the same loader, and lets the ValueError through.
#
# Seen: `ValueError: day is out of range for month`, for `name: 2026-02-30` in both.
set -euo pipefail
folder=$(mktemp -d)
trap 'rm -rf "$folder"' EXIT
cd "$folder"
python3 -m venv venv
venv/bin/pip install --quiet --disable-pip-version-check PyYAML==6.0.3 kubernetes==37.0.2
cat > kubeconfig << 'YAML'
apiVersion: v1
kind: Config
contexts: []
clusters: []
users: []
name: 2026-02-30
YAML
cat > try.py << 'PYTHON'
import kubernetes
import yaml


def kind(read):
    try:
        read()
    except yaml.YAMLError as error:
        return f"YAMLError {error}"
    except kubernetes.config.ConfigException as error:
        return f"ConfigException {error}"
    except ValueError as error:
        return f"ValueError {error}"
    return "no error"


print("PyYAML:", kind(lambda: yaml.safe_load("name: 2026-02-30")))
print("kubernetes:", kind(lambda: kubernetes.config.load_kube_config("kubeconfig")))
PYTHON
output=$(venv/bin/python try.py)
echo "$output"
expected="PyYAML: ValueError day is out of range for month
kubernetes: ValueError day is out of range for month"
[ "$output" = "$expected" ] || { echo "changed"; exit 1; }
echo "as described"
