"""Status of runs that somebody changes with `argo` or `kubectl`, on the cluster of KUBECONFIG.

With RECORD=1 the documents are written to tests/fixtures/argo_commands, which
`tests/unit/status/test_argo_commands.py` reads. RISEML_TEST_ARGO is the program `argo`.
"""

import os
import subprocess
from collections.abc import Callable, Iterator, Mapping
from dataclasses import dataclass
from decimal import Decimal
from pathlib import Path
from typing import Any

import pytest

from riseml import labels
from riseml.compiler import compile_workflow
from riseml.plan import Experiment, ExperimentSet, Job, Origin, Resources, Target
from tests.cluster.record import laid_out, outcome, sanitised
from tests.cluster.user_namespace import IMAGE, PROJECT, Run, WorkflowNamespace

pytestmark = [pytest.mark.cluster, pytest.mark.timeout(300)]

ARGO = os.environ.get("RISEML_TEST_ARGO", "argo")
FOLDER = Path(__file__).parent.parent / "fixtures" / "argo_commands"
# The first time, it does something else.
_ONCE = '[ -e "$OUTPUT_DIR/again" ] || { touch "$OUTPUT_DIR/again"; %s; }'
_SLEEP = "sleep 300"


@dataclass(frozen=True)
class Case:
    """A run of `experiments`, what happens to it, and the lines of its experiments then."""

    run: str
    act: Callable[[Run], None]
    lines: tuple[str, ...]
    experiments: int = 1


def argo(command: str) -> Callable[[Run], None]:
    """Return an action that gives `argo` a command once all jobs run."""

    def act(run: Run) -> None:
        run.until_node(".train", "Running")
        use_argo(run, command)

    return act


def use_argo(run: Run, command: str) -> None:
    """Give `argo` a command for a Workflow."""
    namespace = run.namespace.name
    subprocess.run(
        [ARGO, command, run.name, "-n", namespace], check=True, capture_output=True
    )


def retry(run: Run) -> None:
    run.until_ended()
    use_argo(run, "retry")
    run.until_ended()


def kill_and_retry(run: Run) -> None:
    run.until_node(".train", "Running")
    run.mark_killed("*")
    run.terminate()
    retry(run)


def terminate(run: Run) -> None:
    argo("terminate")(run)
    run.until_ended()


def stop(run: Run) -> None:
    argo("stop")(run)
    run.until_ended()


def delete_pod(run: Run) -> None:
    run.until_node(".train", "Running")
    run.delete_pods("1")
    run.until_ended()


CASES: Mapping[str, Case] = {
    "retried": Case(_ONCE % "exit 3", retry, ("FINISHED COMPLETED 0",)),
    "killed-and-retried": Case(
        _ONCE % _SLEEP, kill_and_retry, ("FINISHED COMPLETED 0",)
    ),
    "terminated": Case(_SLEEP, terminate, ("KILLED KILLED 143",)),
    "stopped": Case(_SLEEP, stop, ("KILLED KILLED 143",)),
    "suspended": Case(
        _SLEEP, argo("suspend"), ("RUNNING", "CREATED SUSPENDED"), experiments=2
    ),
    "copied": Case(_SLEEP, Run.until_ended, ("FAILED CHECKOUT train",)),
    "pod-deleted": Case(_SLEEP, delete_pod, ("FAILED DELETED train",)),
}


@pytest.fixture(scope="module")
def namespace() -> Iterator[WorkflowNamespace]:
    made = WorkflowNamespace("riseml-argo-commands")
    yield made
    made.leave()


def document(name: str, case: Case, namespace: WorkflowNamespace) -> dict[str, Any]:
    job = Job("train", (case.run,), Resources(Decimal("0.05"), 64_000_000))
    experiments = tuple(
        Experiment(sub, {"lr": str(sub)}) for sub in range(1, case.experiments + 1)
    )
    plan = ExperimentSet(
        project=PROJECT,
        config=f"project: {PROJECT}\n",
        image=IMAGE,
        jobs=(job,),
        experiments=experiments,
        is_set=case.experiments > 1,
        concurrency=1,
    )
    # Files of an earlier test remain on the node.
    number = os.getpid() * 10 + list(CASES).index(name)
    origin = Origin("me", number, namespace.revision)
    return compile_workflow(plan, origin, Target(git_image=IMAGE))


@pytest.mark.parametrize("name", CASES)
def test_status_after_a_command_of_somebody_else(
    name: str, namespace: WorkflowNamespace
) -> None:
    case = CASES[name]
    compiled = document(name, case, namespace)
    if name == "copied":
        # As `argo resubmit` does.
        compiled["metadata"]["labels"][labels.RESUBMITTED] = compiled["metadata"][
            "name"
        ]
        compiled["metadata"]["name"] += "-x7k2p"
    run = namespace.submit(compiled)
    case.act(run)
    after = run.document()
    if name == "suspended":
        run.terminate()
    assert outcome(after).experiments == case.lines
    if os.environ.get("RECORD"):
        FOLDER.mkdir(exist_ok=True)
        text = laid_out({"expect": list(case.lines), "document": sanitised(after)})
        (FOLDER / f"{name}.json").write_text(f"{text}\n", encoding="utf-8")
