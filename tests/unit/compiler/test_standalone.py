"""Standalone documents: nothing in them refers to an installation of RiseML."""

import json
from collections.abc import Mapping
from pathlib import Path
from typing import Any

import pytest
import yaml

from riseml import config, planner
from riseml.compiler import compile_workflow, needs, standalone
from riseml.compiler.standalone import Keeping, Standalone
from riseml.errors import UnsupportedError
from riseml.plan import Origin, Target

ROOT = Path(__file__).parents[3]
TOY = """\
project: toy
train:
  image: python:3.12-slim
  {more}
  parameters: {{lr: [0.1, 0.2]}}
  run: python train.py
"""


def _documents(
    keeping: Keeping, more: str = "timeout: 1h", git: str | None = None
) -> list[dict[str, Any]]:
    plan = planner.plan(config.load_text(TOY.format(more=more)))
    origin = Origin("me", git_url=git)
    prepared = standalone.prepared(plan, keeping)
    document = compile_workflow(prepared, origin, Target())
    options = Standalone(keeping, "" if git else "QUJD")
    return standalone.documents(document, options, plan.install, is_wide=True)


def _compiled(
    keeping: Keeping, more: str = "timeout: 1h", git: str | None = None
) -> dict[str, Any]:
    (document,) = _documents(keeping, more, git)
    return document


def _template(document: Mapping[str, Any], name: str) -> dict[str, Any]:
    for template in document["spec"]["templates"]:
        if template["name"] == name:
            return dict(template)
    raise AssertionError(name)


def test_nothing_of_an_installation_is_left() -> None:
    document = _compiled(Keeping())
    text = json.dumps(document["spec"])
    for name in (
        "riseml-job",
        "riseml-data",
        "riseml-output",
        "riseml-store",
        "registry.",
    ):
        assert name not in text
    assert "serviceAccountName" not in document["spec"]
    assert "initContainers" not in _template(document, "train")
    assert needs.describe([document]) == [
        "Argo Workflows 4.1 that watches the namespace",
        "the service account default, which may create and patch workflowtaskresults",
        "images that nodes can pull: python:3.12-slim",
    ]


def _variables(template: Mapping[str, Any]) -> dict[str, str]:
    return {entry["name"]: entry["value"] for entry in template["container"]["env"]}


def test_the_code_is_in_variables_that_programs_do_not_get() -> None:
    job = _template(_compiled(Keeping()), "train")
    # Argo copies the data of raw artifacts into the status of every node.
    assert "artifacts" not in job["inputs"]
    variables = _variables(job)
    assert variables["RISEML_ARCHIVE_0"] == "QUJD"
    assert "def report_result(" in variables["RISEML_LIBRARY"]
    assert (
        '\nriseml_unpack "${RISEML_ARCHIVE_0}"\n'
        "mkdir -p /riseml/lib\n"
        'printf %s "$RISEML_LIBRARY" > /riseml/lib/riseml.py\n'
        "unset RISEML_LIBRARY RISEML_ARCHIVE_0\n"
    ) in job["container"]["args"][0]


def test_no_variable_is_too_long_for_the_kernel() -> None:
    plan = planner.plan(config.load_text(TOY.format(more="timeout: 1h")))
    archive = "".join(f"{number:8}" for number in range(50_000))
    document = compile_workflow(plan, Origin("me"), Target())
    options = Standalone(Keeping(), archive)
    (document,) = standalone.documents(document, options, (), is_wide=False)
    job = _template(document, "train")
    variables = _variables(job)
    chunks = [variables[f"RISEML_ARCHIVE_{number}"] for number in range(4)]
    assert "".join(chunks) == archive
    assert max(map(len, chunks)) < 128_000
    texts = "".join(f"${{RISEML_ARCHIVE_{number}}}" for number in range(4))
    assert f'riseml_unpack "{texts}"' in job["container"]["args"][0]


def test_the_code_is_in_a_git_remote() -> None:
    job = _template(_compiled(Keeping(), git="https://example.org/x.git"), "train")
    code, library = job["inputs"]["artifacts"]
    assert code["git"] == {"repo": "https://example.org/x.git"}
    assert library["path"] == "/riseml/lib/riseml.py"
    assert "riseml_unpack" not in job["container"]["args"][0]


def test_install_steps_run_before_the_lines() -> None:
    document = _compiled(Keeping(), "install: [pip install 'a b', echo $(HOME)]")
    first = _template(document, "train")["container"]["args"][0]
    assert "\nriseml_install 'pip install '\"'\"'a b'\"'\"''\n" in first
    # The kubelet reads `$$` as `$`.
    assert "\nriseml_install 'echo $$(HOME)'\n" in first
    assert [template["name"] for template in document["spec"]["templates"]] == [
        "main",
        "set",
        "experiment",
        "train",
    ]


def test_results_are_output_parameters_up_to_the_entry_point() -> None:
    document = _compiled(Keeping())
    sources = {}
    for name in ("main", "set", "experiment"):
        parameter = _template(document, name)["outputs"]["parameters"][0]
        sources[name] = (parameter["name"], parameter["valueFrom"]["parameter"])
    assert sources == {
        "main": ("result", "{{tasks.set.outputs.parameters.result}}"),
        "set": ("result", "{{tasks.experiment.outputs.parameters.result}}"),
        "experiment": ("result", "{{tasks.train.outputs.parameters.result}}"),
    }


def _output_volume(document: Mapping[str, Any]) -> list[dict[str, Any]]:
    volumes = document["spec"]["volumes"]
    return [volume for volume in volumes if volume["name"] == "output"]


def _output_mount(document: Mapping[str, Any]) -> dict[str, Any]:
    mounts = _template(document, "train")["container"]["volumeMounts"]
    (mount,) = (mount for mount in mounts if mount["name"] == "output")
    return dict(mount)


def test_output_is_lost_with_the_pod_which_therefore_stays() -> None:
    document = _compiled(Keeping())
    assert _output_volume(document) == [{"name": "output", "emptyDir": {}}]
    assert _output_mount(document) == {"name": "output", "mountPath": "/output"}
    assert "podGC" not in document["spec"]


def test_output_goes_into_a_claim_that_argo_makes() -> None:
    document = _compiled(Keeping(standalone.NEW_CLAIM, "50Gi"))
    assert _output_volume(document) == []
    (claim,) = document["spec"]["volumeClaimTemplates"]
    assert claim["metadata"] == {"name": "output"}
    assert claim["spec"]["resources"] == {"requests": {"storage": "50Gi"}}
    assert claim["spec"]["accessModes"] == ["ReadWriteMany"]
    assert _output_mount(document)["subPath"] == (
        "me/toy/{{workflow.name}}/{{inputs.parameters.riseml-sub}}"
    )
    assert (
        "a default StorageClass that provides 50Gi, ReadWriteMany, for a claim that"
        " Argo deletes once the run has succeeded" in needs.describe([document])
    )


def test_output_goes_into_a_claim_that_exists() -> None:
    document = _compiled(Keeping(standalone.CLAIM, "team"))
    claim = {"claimName": "team"}
    assert _output_volume(document) == [
        {"name": "output", "persistentVolumeClaim": claim}
    ]
    assert "the claims team" in needs.describe([document])


def test_output_goes_into_the_artifact_repository_with_the_logs() -> None:
    document = _compiled(Keeping(standalone.ARTIFACTS))
    assert document["spec"]["archiveLogs"] is True
    assert _template(document, "train")["outputs"]["artifacts"] == [
        {"name": "output", "path": "/output", "optional": True}
    ]
    assert "an artifact repository, which Argo is configured with" in (
        needs.describe([document])
    )


def test_searches_that_share_files_are_refused() -> None:
    text = "project: toy\ntrain:\n  image: x\n  run: x\n  parameters: {lr: {uniform: [0, 1]}}\n"
    rounds = "  search: {method: tpe, metric: loss, mode: min, trials: 4}\n"
    plan = planner.plan(config.load_text(text + rounds))
    with pytest.raises(UnsupportedError, match=r"a search in rounds \(tpe\)"):
        standalone.prepared(plan, Keeping(standalone.NEW_CLAIM))
    early = "  search: {method: asha, metric: loss, mode: min, trials: 4, max_resource: 9}\n"
    plan = planner.plan(config.load_text(text + early))
    with pytest.raises(UnsupportedError, match="a volume that they share"):
        standalone.prepared(plan, Keeping())
    assert standalone.prepared(plan, Keeping(standalone.CLAIM, "x")).early_stop


def test_a_document_of_an_installation_names_all_that_it_needs() -> None:
    text = TOY.format(more="install: pip install x\n  secrets: [TOKEN]")
    plan = planner.plan(config.load_text(text))
    document = compile_workflow(plan, Origin("me"), Target())
    assert needs.describe([document]) == [
        "Argo Workflows 4.1 that watches the namespace",
        "the service account riseml-job, which may create and patch workflowtaskresults",
        "the Secret riseml-job.service-account-token with its token",
        "code, which the document does not have: write --git URL, or --standalone",
        "the claims riseml-data, riseml-output, riseml-store",
        "the Secret riseml-buildkit",
        "the Secret riseml-secrets with TOKEN",
        "BuildKit at tcp://buildkitd.riseml:1234 and the registry registry.riseml:5000, for the install steps",
        "images that nodes can pull: alpine/git:latest, moby/buildkit:rootless",
    ]


GANG = "framework: pytorch\n  pytorch: {workers: 2}\n  retries: 1"


def test_a_gang_brings_its_service() -> None:
    shipped = yaml.safe_load((ROOT / "argo/user/service.yaml").read_text())
    service, workflow = _documents(Keeping(), GANG)
    assert service == shipped
    assert (
        "the service account default, which may create and patch workflowtaskresults,"
        " and list and delete pods" in needs.describe([service, workflow])
    )
    assert "the headless Service riseml" in needs.describe([workflow])


def test_the_jobs_of_a_gang_without_a_shared_folder_find_each_other_by_name() -> None:
    _, workflow = _documents(Keeping(), GANG)
    for job in ("master", "worker"):
        first = _template(workflow, job)["container"]["args"][0]
        assert "\nriseml_find_peers > /dev/null 2>&1 &\n" in first
        assert " RISEML_MPI_SECRET='{{workflow.uid}}'\n" in first
    _, workflow = _documents(Keeping(standalone.CLAIM, "x"), GANG)
    assert "find_peers" not in _template(workflow, "master")["container"]["args"][0]


def test_a_tensorboard_runs_beside_jobs_that_share_their_output() -> None:
    more = "framework: tensorflow\n  tensorflow: {tensorboard: true}"
    board = _template(_compiled(Keeping(standalone.CLAIM, "x"), more), "tensorboard")
    # It needs neither the code nor what is installed.
    assert "riseml_unpack" not in "".join(board["container"]["args"])
    names = [entry["name"] for entry in _compiled(Keeping(), more)["spec"]["templates"]]
    assert "tensorboard" not in names
