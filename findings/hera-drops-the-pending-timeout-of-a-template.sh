#!/usr/bin/env bash
# hera 7.1.0: a Workflow that is read and written again has lost `pendingTimeout` of its templates, without any message.
#
# Argo 4.1 ends a pod that does not start within `pendingTimeout`. Hera's models, which it sends to an Argo Server, do not have
# this field and ignore fields that they do not know. So `Workflow.from_dict` (or from_file) followed by `create` or `to_yaml`
# makes a Workflow without the limit, and a job that finds no node waits for ever. Documents with it have to be sent as
# they are, not as a model.
#
# Seen: no exception and no warning, and a template without the field, by Workflow.from_dict and by the model.
set -euo pipefail
folder=$(mktemp -d)
trap 'rm -rf "$folder"' EXIT
cd "$folder"
python3 -m venv venv
venv/bin/pip install --quiet --disable-pip-version-check hera==7.1.0 pyyaml==6.0.3

cat > read.py << 'PYTHON'
import warnings

import yaml
from hera.workflows import Workflow, models

warnings.simplefilter("error")
template = {"name": "job", "pendingTimeout": "60s", "container": {"image": "alpine:3", "command": ["true"]}}
document = {
    "apiVersion": "argoproj.io/v1alpha1",
    "kind": "Workflow",
    "metadata": {"name": "example"},
    "spec": {"entrypoint": "job", "templates": [template]},
}
(written,) = yaml.safe_load(Workflow.from_dict(document).to_yaml())["spec"]["templates"]
(modelled,) = models.Workflow.model_validate(document).spec.templates
sent = modelled.model_dump(by_alias=True, exclude_none=True)
print(sorted(written), sorted(sent))
PYTHON

seen=$(venv/bin/python read.py)
echo "$seen"
[ "$seen" = "['container', 'name'] ['container', 'name']" ] || { echo "changed: the field is kept, or refused"; exit 1; }
echo "as described"
