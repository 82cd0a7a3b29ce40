"""Compiled documents: their templates, names, labels, and the environment of jobs."""

import ast
import json
import subprocess
from dataclasses import replace
from decimal import Decimal
from pathlib import Path
from typing import Any

import pytest
from hera.shared import global_config
from hera.workflows.models import Workflow

from riseml import labels, status, templating
from riseml.compiler import compile_workflow, pod
from riseml.compiler.text import literal
from riseml.engines.local.interpreter.tags import inner, tags
from riseml.plan import (
    POSITION,
    Build,
    BuildStep,
    Experiment,
    ExperimentSet,
    Job,
    Origin,
    Resources,
    Retries,
    Target,
    host,
)
from riseml.status.data import encode, from_data, to_data
from tests.unit.plans import (
    ORIGIN,
    REVISION,
    Document,
    compiled,
    env,
    grid,
    lines,
    received,
    single,
    task,
    template,
)

ROOT = Path(__file__).parents[3]
STEPS = ("pip install -r requirements.txt", "echo \"it's\" $HOME && touch 'a b'")
BUILD = Build(
    "0123456789abcdef01234567",
    (
        BuildStep(STEPS[0], ("requirements.txt",), "1" * 24),
        BuildStep(STEPS[1], (), "0123456789abcdef01234567"),
    ),
)
GANG = single(
    jobs=(
        Job(
            "master",
            ("x",),
            Resources(),
            framework_env={"TF_CONFIG": f"{host('worker', 2)}:2222 at {POSITION}"},
        ),
        Job(
            "worker",
            ("x",),
            Resources(),
            count=2,
            framework_env={"TF_CONFIG": f"{host('master')}:2222 at {POSITION}"},
        ),
        Job("ps", ("x",), Resources(), daemon=True),
    ),
    gang_timeout=300,
)
PLANS = {
    "single": (single(), ORIGIN),
    "set": (grid({"lr": "1e-6"}, {"lr": "0.1"}, concurrency=2), ORIGIN),
    "install": (single(install=STEPS), replace(ORIGIN, build=BUILD)),
    "install, unknown files": (single(install=STEPS), ORIGIN),
    "install, built": (
        single(install=STEPS),
        replace(ORIGIN, build=replace(BUILD, image="r/me/mnist@sha256:0")),
    ),
    "install, set": (
        grid({"lr": "1"}, {"lr": "2"}, install=STEPS),
        replace(ORIGIN, build=BUILD),
    ),
    "tensorboard": (single(framework="tensorflow", tensorboard=True), ORIGIN),
    "tensorboard, set": (
        grid({"lr": "1"}, {"lr": "2"}, framework="tensorflow", tensorboard=True),
        ORIGIN,
    ),
    "all": (
        grid(
            {"lr": "1", "sub": "a'b\"\n"},
            {"lr": "2", "sub": ""},
            install=STEPS,
            framework="tensorflow",
            tensorboard=True,
            timeout=60,
            retries=replace(single().retries, count=2),
            secrets=("TOKEN",),
        ),
        replace(ORIGIN, build=BUILD),
    ),
    "gang": (GANG, ORIGIN),
    "gang, set": (
        replace(
            GANG,
            experiments=tuple(Experiment(i, {"lr": "1"}) for i in (1, 2)),
            is_set=True,
        ),
        ORIGIN,
    ),
    "gang, retries": (replace(GANG, retries=Retries(2)), ORIGIN),
    "gang, no number": (GANG, Origin("me", None, REVISION)),
    "processes of one job": (
        single(
            job_framework_env={"RISEML_LEADER": f"{host('train')}:29500"},
            job_script="processes",
        ),
        ORIGIN,
    ),
    "no number": (grid({"lr": "1"}, {"lr": "2"}), Origin("me", None, REVISION)),
    "git": (
        single(),
        Origin("", None, "main", git_url="https://example.org/mnist.git"),
    ),
    "git, install": (
        single(install=STEPS),
        Origin("", None, "", git_url="https://example.org/mnist.git"),
    ),
}
documents = pytest.mark.parametrize(
    "document", [compiled(*case) for case in PLANS.values()], ids=list(PLANS)
)


@documents
def test_argo_has_every_field(document: Document) -> None:
    parsed = Workflow.model_validate(document).model_dump(
        exclude_none=True, by_alias=True
    )
    for template_ in document["spec"]["templates"]:
        template_.pop(
            "pendingTimeout", None
        )  # A field of Argo 4.1, while Hera 7.1 has those of 4.0.
    assert parsed == document


@documents
def test_a_document_is_plain_json_data(document: Document) -> None:
    assert json.loads(json.dumps(document)) == document


@documents
def test_every_tag_can_be_resolved(document: Document) -> None:
    for template_ in document["spec"]["templates"]:
        inputs = {
            parameter["name"]
            for parameter in template_.get("inputs", {}).get("parameters", ())
        }
        items = {
            key
            for call in template_.get("dag", {}).get("tasks", ())
            for item in call.get("withItems", ())
            for key in item
        }
        resolved = {f"inputs.parameters.{name}" for name in inputs} | {
            f"item.{name}" for name in items
        }
        resolved |= {
            "workflow.name",
            "workflow.uid",
            f"workflow.annotations.{labels.KILLED}",
            "retries",
            "lastRetry.exitCode",
        }
        resolved |= (
            {"tasks.build.outputs.parameters.image"}
            if template_["name"] == "main"
            else set()
        )
        assert set(map(inner, tags(template_))) <= resolved


@documents
def test_every_call_passes_the_inputs_of_its_template(document: Document) -> None:
    for template_ in document["spec"]["templates"]:
        for call in template_.get("dag", {}).get("tasks", ()):
            inputs = (
                template(document, call["template"])
                .get("inputs", {})
                .get("parameters", ())
            )
            given = call.get("arguments", {}).get("parameters", ())
            assert [parameter["name"] for parameter in given] == [
                parameter["name"] for parameter in inputs
            ]


@documents
def test_every_mount_has_a_volume(document: Document) -> None:
    for template_ in document["spec"]["templates"]:
        volumes = {
            volume["name"]
            for volume in [*document["spec"]["volumes"], *template_.get("volumes", ())]
        }
        containers = [
            template_.get("container", {}),
            *template_.get("initContainers", ()),
            *template_.get("sidecars", ()),
        ]
        assert {
            m["name"]
            for container in containers
            for m in container.get("volumeMounts", ())
        } <= volumes


@pytest.mark.parametrize("case", PLANS)
def test_compiling_twice_gives_the_same_text(case: str) -> None:
    assert json.dumps(compiled(*PLANS[case])) == json.dumps(compiled(*PLANS[case]))


def test_heras_global_configuration_is_neither_read_nor_changed(
    monkeypatch: pytest.MonkeyPatch,
) -> None:
    document = compiled(single())
    settings = {
        "namespace": "theirs",
        "service_account_name": "theirs",
        "image": "theirs",
        "host": "https://theirs",
    }
    for name, value in settings.items():
        monkeypatch.setattr(global_config, name, value)
    assert compiled(single()) == document
    assert {name: getattr(global_config, name) for name in settings} == settings


def test_nothing_else_produces_workflows() -> None:
    for path in (ROOT / "riseml").rglob("*.py"):
        if path.is_relative_to(ROOT / "riseml/compiler") or path.is_relative_to(
            ROOT / "riseml/engines/argo"
        ):
            continue
        tree = ast.parse(path.read_text("utf-8"))
        imports = {
            alias.name
            for node in ast.walk(tree)
            if isinstance(node, ast.Import)
            for alias in node.names
        }
        imports |= {
            node.module or ""
            for node in ast.walk(tree)
            if isinstance(node, ast.ImportFrom)
        }
        assert not {name for name in imports if name.partition(".")[0] == "hera"}, path


def test_the_namespace_is_that_of_the_target() -> None:
    assert "namespace" not in compiled(single())["metadata"]
    assert (
        compiled(single(), target=Target(namespace="riseml-me"))["metadata"][
            "namespace"
        ]
        == "riseml-me"
    )


def test_metadata() -> None:
    metadata = compiled(
        grid({"lr": "1"}, {"lr": "2"}, framework="tensorflow", concurrency=2)
    )["metadata"]
    assert metadata["name"] == "mnist-14"
    assert metadata["labels"] == {
        "riseml.io/user": "me",
        "riseml.io/project": "mnist",
        "riseml.io/number": "14",
        "riseml.io/kind": "set",
        "riseml.io/framework": "tensorflow",
    }
    assert metadata["annotations"] == {
        "workflows.argoproj.io/title": "mnist 14",
        "workflows.argoproj.io/description": "2 experiments, 2 at a time: lr `1 | 2`",
        "riseml.io/config": "project: mnist\n",
        "riseml.io/revision": REVISION,
        "riseml.io/killed": "",
    }


@pytest.mark.parametrize(
    ("user", "written"),
    [
        ("paul", "paul"),
        ("DOMAIN\\paul", "DOMAIN-paul"),
        ("_x_", "x"),
        ("u" * 80, "u" * 63),
    ],
)
def test_a_user_becomes_a_label(user: str, written: str) -> None:
    assert (
        compiled(single(), replace(ORIGIN, user=user))["metadata"]["labels"][
            labels.USER
        ]
        == written
    )


def test_without_a_number_kubernetes_generates_the_name() -> None:
    document = compiled(*PLANS["no number"])
    assert document["metadata"]["generateName"] == "mnist-"
    assert "name" not in document["metadata"]
    assert labels.NUMBER not in document["metadata"]["labels"]
    train = template(document, "train")["container"]
    (output,) = [
        mount["subPath"] for mount in train["volumeMounts"] if mount["name"] == "output"
    ]
    assert output == "me/mnist/{{workflow.name}}/{{inputs.parameters.riseml-sub}}"
    assert (
        env(train)["RISEML_EXPERIMENT"]
        == "{{workflow.name}}.{{inputs.parameters.riseml-sub}}"
    )


@pytest.mark.parametrize(
    ("project", "number", "subs", "job", "name"),
    [
        ("MNIST_deep", 1, 1, Job("train", (), Resources()), "mnist-deep-1"),
        ("a__b--c", 1, 1, Job("train", (), Resources()), "a-b-c-1"),
        ("p" * 80, 7, 1, Job("train", (), Resources()), "p" * 53 + "-7"),
        (
            "p" * 80,
            1234,
            500,
            Job("worker", (), Resources(), count=32),
            "p" * 44 + "-1234",
        ),
        ("p" * 52 + "_q", 7, 1, Job("train", (), Resources()), "p" * 52 + "-7"),
    ],
)
def test_names_leave_room_for_the_longest_host_name(
    project: str, number: int, subs: int, job: Job, name: str
) -> None:
    plan = grid(*[{"a": "1"}] * subs, project=project, jobs=(job,))
    document = compiled(plan, Origin("me", number))
    assert document["metadata"]["name"] == name
    ending = f"-{subs}-{job.type}" + (f"-{job.count}" if job.count > 1 else "")
    assert len(name + ending) <= 63
    assert len(document["metadata"]["labels"][labels.PROJECT]) <= 63


def test_the_set_is_one_task_over_its_experiments() -> None:
    document = compiled(
        grid({"depth": "3", "lr": "1e-6"}, {"depth": "4", "lr": "1e-6"}, concurrency=2)
    )
    set_ = template(document, "set")
    assert set_["parallelism"] == 2
    assert set_["failFast"] is False
    assert set_["dag"]["failFast"] is False
    (experiments,) = set_["dag"]["tasks"]
    assert experiments["withItems"] == [
        {"riseml-sub": "1", "depth": "3", "lr": "1e-6"},
        {"riseml-sub": "2", "depth": "4", "lr": "1e-6"},
    ]
    assert (
        experiments["when"]
        == "'{{workflow.annotations.riseml.io/killed}}' !~ '(^|,)({{item.riseml-sub}}|[*])='"
    )


@pytest.mark.parametrize(
    "name",
    ["sub", "image", "index", "number", "experiment", "job", "code", "quoted-lr"],
)
def test_a_parameter_may_have_the_name_of_one_of_our_own(name: str) -> None:
    document = compiled(
        grid(
            {name: "7"},
            {name: "8"},
            install=STEPS,
            jobs=(Job("train", (f"echo {{{{{name}}}}}",), Resources()),),
        )
    )
    assert lines(document, 1) == ["echo 8"]
    arguments = template(document, "experiment")["inputs"]["parameters"]
    assert [parameter["name"] for parameter in arguments] == [
        "riseml-sub",
        "riseml-image",
        name,
    ]


def test_a_job_sees_its_folders_and_its_configuration() -> None:
    plan = grid(
        {"lr-decay": "0.1"}, {"lr-decay": "0.2"}, job_env={"MODEL": "m-{{ lr-decay }}"}
    )
    train = template(compiled(plan), "train")["container"]
    variables = env(train)
    assert {
        name: variables[name] for name in variables if name != "RISEML_CONFIGURATION"
    } == {
        "LR_DECAY": "{{inputs.parameters.lr-decay}}",
        "MODEL": "m-{{inputs.parameters.lr-decay}}",
        "OUTPUT_DIR": "/output",
        "DATA_DIR": "/data",
        "RISEML_DIR": "/riseml",
        "RESULT_FILE": "/output/.riseml/results.jsonl",
        "RISEML_EXPERIMENT": "14.{{inputs.parameters.riseml-sub}}",
        "EXPERIMENT_ID": "14.{{inputs.parameters.riseml-sub}}",
        "RISEML_JOB": "train",
        "RISEML_ATTEMPT": "0",
        "RISEML_KILLED": "{{workflow.annotations.riseml.io/killed}}",
        "RISEML_WORKDIR_LIMIT": "10000000000",
        "RISEML_THREADS": "1",
    }
    assert train["workingDir"] == "/code"
    assert {
        m["name"]: (m["mountPath"], m.get("subPath"), m.get("readOnly"))
        for m in train["volumeMounts"]
    } == {
        "code": ("/code", None, None),
        "data": ("/data", None, True),
        "output": ("/output", "me/mnist/14/{{inputs.parameters.riseml-sub}}", None),
        "riseml": ("/riseml", None, None),
        "shm": ("/dev/shm", None, None),
    }
    metadata = template(compiled(plan), "train")["metadata"]
    assert metadata["labels"] == {
        "riseml.io/experiment": "{{inputs.parameters.riseml-sub}}",
        "riseml.io/type": "train",
    }


def test_a_parameter_named_rank_is_only_a_placeholder() -> None:
    """Libraries would take $RANK for the position of the process among others."""
    plan = grid(
        {"rank": "8", "lr": "1"},
        run=("fit --rank {{rank}}",),
        job_env={"MASTER_PORT": "{{rank}}"},
    )
    train = template(compiled(plan), "train")["container"]
    variables = env(train)
    assert "RANK" not in variables
    assert {"LR", "MASTER_PORT"} <= set(variables)
    assert "--rank {{inputs.parameters.rank}}" in train["args"][-1]


def test_a_single_experiment_has_no_extra_number() -> None:
    train = template(compiled(single()), "train")["container"]
    assert env(train)["RISEML_EXPERIMENT"] == "14"
    assert [m["subPath"] for m in train["volumeMounts"] if m["name"] == "output"] == [
        "me/mnist/14"
    ]


def test_the_user_can_set_pythonunbuffered() -> None:
    train = template(compiled(single(job_env={"PYTHONUNBUFFERED": ""})), "train")[
        "container"
    ]
    assert [
        variable["value"]
        for variable in train["env"]
        if variable["name"] == "PYTHONUNBUFFERED"
    ] == [""]


def test_the_code_is_checked_out_from_the_store() -> None:
    train = template(compiled(single()), "train")
    (checkout,) = train["initContainers"]
    assert env(checkout) == {
        "REPOSITORY": "/store/repos/mnist.git",
        "REVISION": REVISION,
        # By these, a copy of the Workflow recognizes that it is one.
        "WORKFLOW": "{{workflow.name}}",
        "ORIGINAL": "mnist-14",
        "RISEML_OPEN": "1",
        "CODE_DIR": "/code",
        "RISEML_DIR": "/riseml",
    }
    assert templating.read("original.sh") in checkout["args"][0]
    assert checkout["args"][0].startswith(templating.read("checkout.sh"))
    assert checkout["args"][2] == templating.read("library/riseml.py")
    assert {m["mountPath"]: m.get("readOnly") for m in checkout["volumeMounts"]} == {
        "/store": True,
        "/riseml": None,
        "/code": None,
    }


def test_a_workflow_without_a_number_may_be_copied() -> None:
    document = compiled(single(), Origin("me", None, REVISION))
    (checkout,) = template(document, "train")["initContainers"]
    assert "ORIGINAL" not in env(checkout)


def test_the_code_comes_from_a_git_remote_as_an_artifact() -> None:
    document = compiled(*PLANS["git"])
    train = template(document, "train")
    code, library = train["inputs"]["artifacts"]
    assert code == {
        "name": "code",
        "path": "/code",
        "git": {"repo": "https://example.org/mnist.git", "revision": "main"},
    }
    assert library["path"] == "/riseml/lib/riseml.py"
    assert library["raw"]["data"] == templating.read("library/riseml.py")
    assert "initContainers" not in train
    assert not {"store", "code"} & {
        volume["name"] for volume in document["spec"]["volumes"]
    }


def test_install_steps_become_a_build() -> None:
    document = compiled(*PLANS["install"])
    build = template(document, "build")
    variables = env(build["container"])
    assert json.loads(variables["RISEML_INSTALL"]) == list(STEPS)
    assert json.loads(variables["RISEML_STEP_KEYS"]) == ["1" * 24, BUILD.key]
    assert variables["RISEML_BASE_IMAGE"] == "python:3.12"
    assert variables["IMAGE_KEY"] == BUILD.key
    assert build["synchronization"] == {
        "mutexes": [{"name": f"riseml-build-{BUILD.key}"}]
    }
    assert build["initContainers"][0]["args"][1:] == ["context", "1/requirements.txt"]
    (dockerfile,) = build["inputs"]["artifacts"]
    first, *_, one, two = dockerfile["raw"]["data"].splitlines()
    assert first == "FROM python:3.12"
    assert [json.loads(line.removeprefix("RUN "))[-1] for line in (one, two)] == list(
        STEPS
    )
    assert task(document, "set")["depends"] == "build"
    assert task(document, "set")["arguments"]["parameters"] == [
        {"name": "riseml-image", "value": "{{tasks.build.outputs.parameters.image}}"}
    ]
    train = template(document, "train")
    assert train["container"]["image"] == "{{inputs.parameters.riseml-image}}"
    assert env(train["initContainers"][0])["CODE_DIR"] == "/riseml/code"
    assert "code" not in {mount["name"] for mount in train["container"]["volumeMounts"]}


def test_a_build_starts_from_the_digest_of_the_base_image() -> None:
    plan, origin = PLANS["install"]
    base = f"python:3.12@sha256:{'1' * 64}"
    document = compiled(plan, replace(origin, build=replace(BUILD, base=base)))
    build = template(document, "build")
    (dockerfile,) = build["inputs"]["artifacts"]
    assert dockerfile["raw"]["data"].startswith(f"FROM {base}\n")
    assert document["metadata"]["annotations"]["riseml.io/base-image"] == base
    run = status.read(document)
    assert (run.image, run.base_image) == ("python:3.12", base)


def test_an_existing_image_needs_no_build() -> None:
    document = compiled(*PLANS["install, built"])
    assert [template_["name"] for template_ in document["spec"]["templates"]] == [
        "main",
        "set",
        "experiment",
        "train",
    ]
    train = template(document, "train")
    assert train["container"]["image"] == "r/me/mnist@sha256:0"
    assert env(train["initContainers"][0])["CODE_DIR"] == "/riseml/code"


@pytest.mark.parametrize("case", ["tensorboard", "tensorboard, set"])
def test_tensorboard_is_a_daemon_for_the_complete_run(case: str) -> None:
    document = compiled(*PLANS[case])
    board = template(document, "tensorboard")
    assert board["daemon"] is True
    assert board["pendingTimeout"] == "10m"
    assert board["container"]["image"] == "python:3.12"
    assert board["container"]["resources"] == {
        "requests": {"cpu": "200m", "memory": "256M"}
    }
    assert env(board["container"])["TENSORBOARD_ADDRESS"] == "0.0.0.0:6006"
    assert [mount["subPath"] for mount in board["container"]["volumeMounts"]] == [
        "me/mnist/14"
    ]
    assert [call["name"] for call in template(document, "main")["dag"]["tasks"]] == [
        "set",
        "tensorboard",
    ]
    assert "sidecars" not in template(document, "train")


@pytest.mark.parametrize(
    ("resources", "requirements"),
    [
        (
            Resources(),
            {
                "requests": {"cpu": "1", "memory": "512M"},
                "limits": {"memory": "512M"},
            },
        ),
        (
            Resources(cpus=Decimal("0.5"), mem=4 * 2**30),
            {
                "requests": {"cpu": "500m", "memory": "4Gi"},
                "limits": {"memory": "4Gi"},
            },
        ),
        (
            Resources(cpus=Decimal("1.25"), mem=10_000),
            {
                "requests": {"cpu": "1250m", "memory": "10000"},
                "limits": {"memory": "10000"},
            },
        ),
        (
            Resources(cpus=Decimal(8), mem=40_000_000_000, gpus=2),
            {
                "requests": {"cpu": "8", "memory": "40G"},
                "limits": {"nvidia.com/gpu": "2", "memory": "40G"},
            },
        ),
    ],
)
def test_resources_are_requests_and_memory_and_gpus_are_limits_too(
    resources: Resources, requirements: dict[str, Any]
) -> None:
    assert (
        template(compiled(single(job_resources=resources)), "train")["container"][
            "resources"
        ]
        == requirements
    )


@pytest.mark.parametrize(
    ("mem", "cpus", "limits"),
    [
        (True, False, {"memory": "512M"}),
        (True, True, {"memory": "512M", "cpu": "1"}),
        (False, True, {"cpu": "1"}),
        (False, False, None),
    ],
)
def test_the_cluster_says_what_a_job_may_not_exceed(
    *, mem: bool, cpus: bool, limits: dict[str, str] | None
) -> None:
    target = Target(limit_mem=mem, limit_cpus=cpus)
    document = compiled(single(job_resources=Resources()), target=target)
    resources = template(document, "train")["container"]["resources"]
    assert resources.get("limits") == limits


def test_a_timeout_limits_one_attempt() -> None:
    document = compiled(single(timeout=90))
    train = template(document, "train")
    assert env(train["container"])["RISEML_TIMEOUT"] == "90"
    assert templating.read("timeout.sh") in train["container"]["args"][1]
    outputs = {output["name"]: output for output in train["outputs"]["parameters"]}
    assert outputs["timeout"]["valueFrom"] == {"path": "/riseml/timeout", "default": ""}
    # Argo's own limit is for pods in which the run script cannot do that.
    assert train["activeDeadlineSeconds"] == 90 + 3600
    assert "activeDeadlineSeconds" not in document["spec"]


def test_the_wait_for_peers_does_not_count_as_running_time() -> None:
    server = Job("ps", ("serve",), Resources(), daemon=True)
    worker = Job("worker", ("train",), Resources())
    document = compiled(single(timeout=90, gang_timeout=300, jobs=(server, worker)))
    deadline = template(document, "worker")["activeDeadlineSeconds"]
    assert deadline == 90 + 2 * 300 + 3600
    # A daemon ends with the others, however long it has waited for them.
    assert "activeDeadlineSeconds" not in template(document, "ps")
    assert "RISEML_TIMEOUT" not in env(template(document, "ps")["container"])
    script = template(document, "worker")["container"]["args"][1]
    # The jobs have met when the time begins.
    assert 0 < script.rindex("riseml_meet\n") < script.rindex("riseml_begin_timeout\n")


def test_a_job_without_a_timeout_has_nothing_of_it() -> None:
    train = template(compiled(single()), "train")
    assert "activeDeadlineSeconds" not in train
    assert "riseml_watch_time" not in train["container"]["args"][1]
    assert "RISEML_TIMEOUT" not in env(train["container"])


def test_secrets_are_only_referred_to() -> None:
    document = compiled(single(secrets=("TOKEN",)), target=Target(secret="kept"))
    assert env(template(document, "train")["container"])["TOKEN"] == {
        "secretKeyRef": {"name": "kept", "key": "TOKEN"}
    }


def test_pods_have_no_token_but_that_of_the_executor() -> None:
    spec = compiled(single(), target=Target(service_account="runner"))["spec"]
    assert spec["automountServiceAccountToken"] is False
    assert spec["executor"] == {"serviceAccountName": "runner"}
    assert spec["serviceAccountName"] == "runner"


def test_pods_and_workflows_are_removed_after_a_while() -> None:
    spec = compiled(single())["spec"]
    assert spec["podGC"] == {"strategy": "OnPodSuccess", "deleteDelayDuration": "1h"}
    assert spec["ttlStrategy"] == {
        "secondsAfterSuccess": 14 * 86400,
        "secondsAfterFailure": 30 * 86400,
    }
    assert (
        spec["podMetadata"]["labels"]
        == spec["podMetadata"]["annotations"]
        == {"sidecar.istio.io/inject": "false"}
    )


def test_node_preferences_never_keep_a_pod_from_starting() -> None:
    text = json.dumps(compiled(*PLANS["all"]))
    assert "preferredDuringSchedulingIgnoredDuringExecution" in text
    assert "requiredDuringScheduling" not in text


@pytest.mark.parametrize(
    "line",
    [
        'echo \'{"a": {"b": 1}}\'',
        "echo ${{ matrix.os }} {{ jinja|filter }} {{undeclared}} {% raw %}",
        "cat <<'EOF'\nEOF2\n  $$ $(nproc) $(OUTPUT_DIR) `date`\nEOF",
        "echo $$$$ $$(HOME) a$",
        "printf '%s' \\",
        "echo \u00e4\u20ac\U0001f600 \t end",
        "",
    ],
)
def test_a_line_reaches_the_job_as_it_was_written(line: str) -> None:
    assert lines(compiled(single((line,)))) == [line]
    assert lines(
        compiled(
            grid({"lr": "1"}, jobs=(Job("train", (line + "{{lr}}",), Resources()),))
        )
    ) == [line + "1"]


def test_placeholders_are_replaced_as_text() -> None:
    line = "fit {{lr}} {{ lr }}{{  lr}} '{{opt}}' {{LR}} {{lr }}}"
    document = compiled(
        grid(
            {"lr": "1e-6", "opt": 'it\'s "$x"'},
            jobs=(Job("train", (line,), Resources()),),
        )
    )
    assert lines(document) == ["fit 1e-6 1e-61e-6 'it's \"$x\"' {{LR}} 1e-6}"]


@pytest.mark.parametrize(
    "value",
    [
        'it\'s "both"',
        "two\nlines",
        "a\\b",
        "$$ $(HOME) $x",
        "$$(OUTPUT_DIR)",
        "<&>",
        "\u2028\u00e4",
        "{a: [b]}",
        "",
    ],
)
def test_a_value_reaches_the_job_as_it_was_written(value: str) -> None:
    document = compiled(
        grid(
            {"v": "1"}, {"v": value}, jobs=(Job("train", ("run {{v}}",), Resources()),)
        )
    )
    assert lines(document, 1) == [f"run {value}"]
    assert (
        received(document, 1, env(template(document, "train")["container"])["V"])
        == value
    )


def test_values_of_variables_are_escaped() -> None:
    variables = env(
        template(
            compiled(single(job_env={"A": "$(PATH) $$", "B": "$OUTPUT_DIR"})), "train"
        )["container"]
    )
    document = compiled(single())
    assert received(document, 0, variables["A"]) == "$(PATH) $$"
    assert variables["B"] == "$OUTPUT_DIR"


@pytest.mark.parametrize(
    "name",
    [
        path.name
        for path in templating.folder().glob("*.[ps]*")
        if path.suffix in {".py", ".sh"}
    ],
)
def test_scripts_contain_nothing_that_argo_or_the_kubelet_would_change(
    name: str,
) -> None:
    text = templating.read(name)
    assert literal(text) == text
    assert "{{" not in text


def test_the_jobs_of_a_gang_know_the_names_of_their_peers() -> None:
    document = compiled(*PLANS["gang"])
    assert [
        call["name"] for call in template(document, "experiment")["dag"]["tasks"]
    ] == [
        "master",
        "worker-1",
        "worker-2",
        "ps",
    ]
    worker, master = template(document, "worker"), template(document, "master")
    index, sub = (
        "{{inputs.parameters." + name + "}}"
        for name in (labels.INDEX_PARAMETER, labels.SUB_PARAMETER)
    )
    assert json.loads(worker["podSpecPatch"]) == {
        "hostname": f"mnist-14-{sub}-worker-{index}",
        "subdomain": "riseml",
    }
    assert json.loads(master["podSpecPatch"])["hostname"] == f"mnist-14-{sub}-master"
    variables = env(worker["container"])
    assert (
        variables["TF_CONFIG"]
        == f"mnist-14-{sub}-master.riseml:2222 at {{{{inputs.parameters.riseml-place}}}}"
    )
    assert (
        env(master["container"])["TF_CONFIG"]
        == f"mnist-14-{sub}-worker-2.riseml:2222 at 0"
    )
    assert variables["RISEML_GANG"] == " ".join(
        f"{job}=mnist-14-{sub}-{job.replace('.', '-')}.riseml:2222"
        for job in ("master", "worker.1", "worker.2", "ps")
    )
    assert variables["RISEML_JOB"] == f"worker.{index}"
    assert worker["metadata"]["labels"][labels.GANG] == "true"


def test_a_failed_job_ends_its_peers() -> None:
    document = compiled(*PLANS["gang"])
    for call in template(document, "experiment")["dag"]["tasks"]:
        (hook,) = call["hooks"].values()
        assert f'tasks["{call["name"]}"].status == "Failed"' in hook["expression"]
        assert hook["template"] == "end-peers"
    ending = template(document, "end-peers")["resource"]
    assert ending["action"] == "delete"
    assert "riseml.io/experiment={{inputs.parameters.riseml-sub}}" in " ".join(
        ending["flags"]
    )
    assert template(document, "experiment")["dag"]["failFast"] is False


def test_all_jobs_of_a_gang_are_retried_together() -> None:
    document = compiled(*PLANS["gang, retries"])
    assert template(document, "experiment")["retryStrategy"]["limit"] == "2"
    for name in ("master", "worker", "ps"):
        job = template(document, name)
        # A job alone starts again only if it has not begun, and a daemon never.
        retry = job.get("retryStrategy", {"expression": ""})
        assert retry["expression"].endswith("== '175'") is (name != "ps")
        assert (
            job["metadata"]["labels"][labels.ATTEMPT]
            == "{{inputs.parameters.riseml-attempt}}"
        )
        assert "-{{inputs.parameters.riseml-attempt}}-" in job["podSpecPatch"]
    assert "riseml.io/attempt={{inputs.parameters.riseml-attempt}}" in str(
        template(document, "end-peers")
    )
    given = task(document, "worker-2")["arguments"]["parameters"]
    assert {"name": labels.ATTEMPT_PARAMETER, "value": "{{retries}}"} in given


def test_the_jobs_of_a_gang_wait_for_nodes_without_an_end() -> None:
    document = compiled(*PLANS["gang"])
    for name in ("master", "worker", "ps"):
        job = template(document, name)
        assert "pendingTimeout" not in job
        assert env(job["container"])["RISEML_GANG_TIMEOUT"] == "300"
        if name == "ps":
            assert env(job["container"])["RISEML_STAYS"] == "1"
            assert "retryStrategy" not in job
            continue
        retry = job["retryStrategy"]
        # Argo 4.1 ignores a backoff without a limit.
        assert int(retry["limit"]) >= 100_000
        assert retry["backoff"] == {"duration": "1s", "factor": "2", "cap": "16s"}


def test_a_gang_on_one_machine_starts_as_a_whole() -> None:
    plan, origin = PLANS["gang"]
    document = compiled(plan, replace(origin, runner="process"))
    for name in ("master", "worker", "ps"):
        assert "retryStrategy" not in template(document, name)


def test_only_jobs_that_others_reach_have_a_host_name() -> None:
    assert "podSpecPatch" not in template(compiled(*PLANS["single"]), "train")
    alone = template(compiled(*PLANS["processes of one job"]), "train")
    assert "podSpecPatch" in alone
    assert "RISEML_GANG" not in env(alone["container"])


def test_the_longest_host_name_fits() -> None:
    plan = replace(
        GANG, project="p" * 80, retries=Retries(10), experiments=(Experiment(1000, {}),)
    )
    document = compiled(plan, Origin("me", 123456))
    host_name = json.loads(template(document, "worker")["podSpecPatch"])["hostname"]
    for tag, value in (
        ("riseml-sub", "1000"),
        ("riseml-attempt", "10"),
        ("riseml-index", "2"),
    ):
        host_name = host_name.replace(f"{{{{inputs.parameters.{tag}}}}}", value)
    assert len(host_name) == 63


@pytest.mark.parametrize("runner", ["session", "processes", "mpi"])
def test_the_run_script_is_complete_for_each_runner(runner: str) -> None:
    script = pod.script(runner, gang=True)
    assert script.endswith(templating.read("run.sh"))
    assert script.startswith(templating.read("gang.sh"))
    for text in (script, pod.functions()):
        assert subprocess.run(["sh", "-n", "-c", text], check=False).returncode == 0


@pytest.mark.parametrize(
    ("plan", "described"),
    [
        (single(), None),
        (
            single(experiments=(Experiment(1, {"lr": "1e-6", "depth": "3"}),)),
            "lr `1e-6`, depth `3`",
        ),
        (
            grid(
                {"lr": "0.1", "note": "a"}, {"lr": "0.10", "note": "a"}, concurrency=2
            ),
            "2 experiments, 2 at a time: lr `0.1 | 0.10`, note `a`",
        ),
        (
            grid(*({"n": str(n)} for n in range(20))),
            "20 experiments, 1 at a time: n `0 | 1 | 2 | 3 | 4 | 5 | 6 | 7 | …`",
        ),
        (single(experiments=(Experiment(1, {"x": "a `b`\n*c*"}),)), "x `a 'b' *c*`"),
        (single(experiments=(Experiment(1, {"x": "y" * 1000}),)), f"x `{'y' * 400}…`"),
    ],
    ids=["no parameters", "one experiment", "a set", "many values", "markup", "long"],
)
def test_the_description_in_argos_ui(
    plan: ExperimentSet, described: str | None
) -> None:
    annotations = compiled(plan)["metadata"]["annotations"]
    assert annotations["workflows.argoproj.io/title"] == "mnist 14"
    assert annotations.get("workflows.argoproj.io/description") == described


def test_builds_log_in_to_the_registry_of_a_private_base_image() -> None:
    plan = single(install=("pip install x",))
    target = Target(pull_secrets=("lab", "other"))
    document = compiled(plan, target=target)
    build = template(document, "build")["container"]
    assert {"name": "login", "mountPath": "/login"} in build["volumeMounts"]
    assert {"name": "DOCKER_CONFIG", "value": "/login"} in build["env"]
    (volume,) = (
        volume for volume in document["spec"]["volumes"] if volume["name"] == "login"
    )
    items = [{"key": ".dockerconfigjson", "path": "config.json"}]
    assert volume["secret"] == {"secretName": "lab", "optional": True, "items": items}
    train = template(document, "train")["container"]
    assert "login" not in json.dumps(
        train
    )  # jobs get their images from the node, which logs in itself
    assert [secret["name"] for secret in document["spec"]["imagePullSecrets"]] == [
        "lab",
        "other",
    ]
    assert "login" not in json.dumps(compiled(plan))
    assert "login" not in json.dumps(
        compiled(single(), target=target)["spec"]["volumes"]
    )


def test_an_isolated_network_is_an_annotation_of_the_jobs_alone() -> None:
    def annotated(**fields: Any) -> list[str]:
        document = compile_workflow(
            single(tensorboard=True, framework="tensorflow", **fields), ORIGIN, Target()
        )
        names = []
        for body in document["spec"]["templates"]:
            annotations = body.get("metadata", {}).get("annotations", {})
            if labels.ISOLATE_NETWORK in annotations:
                assert annotations[labels.ISOLATE_NETWORK] == "true"
                names.append(body["name"])
        return names

    assert annotated(isolate_network=True) == ["train"]
    assert annotated() == []


def test_what_ignore_files_left_out_is_kept_with_the_run() -> None:
    excluded = {".gitignore": ("data/", "out/*.pt")}
    origin = replace(ORIGIN, excluded=excluded)
    document = compile_workflow(single(), origin, Target())
    annotations = document["metadata"]["annotations"]
    assert annotations[labels.EXCLUDED] == '{".gitignore": ["data/", "out/*.pt"]}'
    run = status.read(document)
    assert run.excluded == excluded
    assert from_data(json.loads(json.dumps(to_data(run), default=encode))) == run
    document = compile_workflow(single(), ORIGIN, Target())
    assert labels.EXCLUDED not in document["metadata"]["annotations"]


def test_the_use_of_gpus_is_watched_in_jobs_that_request_some() -> None:
    job = Job("train", ("x",), Resources(gpus=1))
    document = compiled(single(jobs=(job,), idle_timeout=5400))
    container = template(document, "train")["container"]
    assert {"name": "RISEML_GPU_IDLE", "value": "5400 whole"} in container["env"]
    assert "riseml_begin_idle() {" in container["args"][1]
    outputs = template(document, "train")["outputs"]["parameters"]
    names = [output["name"] for output in outputs]
    assert labels.IDLE in names
    without = template(compiled(single(idle_timeout=5400)), "train")
    assert "RISEML_GPU_IDLE" not in str(without["container"]["env"])
    assert "riseml_begin_idle() {" not in without["container"]["args"][1]
    assert labels.IDLE not in str(without["outputs"])
    unlimited = template(compiled(single(jobs=(job,))), "train")
    assert {"name": "RISEML_GPU_IDLE", "value": "0 whole"} in unlimited["container"][
        "env"
    ]
    assert labels.IDLE not in [
        output["name"] for output in unlimited["outputs"]["parameters"]
    ]
