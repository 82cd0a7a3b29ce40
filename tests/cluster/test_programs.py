"""Unmodified programs in real pods: what they print, and what they save when they are killed."""

from collections.abc import Iterator
from decimal import Decimal

import pytest

kubernetes = pytest.importorskip("kubernetes")

from riseml.plan import Job, Resources  # noqa: E402
from tests.cluster.record import outcome  # noqa: E402
from tests.cluster.scenarios import Outcome, Scenario  # noqa: E402
from tests.cluster.user_namespace import (  # noqa: E402
    PROJECT,
    Run,
    WorkflowNamespace,
    wait_until,
)
from tests.unit.templates.test_stop_script import POOL, TRAINER  # noqa: E402

pytestmark = [pytest.mark.cluster, pytest.mark.timeout(280)]

NUMBER = 970
# `env` must not contain PYTHONUNBUFFERED: the output has to survive without it.
ENVIRONMENT = {"TRAINER": TRAINER, "POOL": POOL, "WHEN": "before"}
LINES = """
printf %s "$TRAINER" > t.py
printf %s "$POOL" > pool.py
case $LR in
  1e-1) python3 -c '
import os, signal
for n in range(12): print("epoch", n)
os.kill(os.getpid(), signal.SIGKILL)' ;;
  1e-2) python3 -c 'raise SystemExit(5)' | cat ;;
  1e-3) python3 t.py 2>&1 | tee "$OUTPUT_DIR/log" ;;
  1e-4) python3 pool.py ;;
esac
"""
JOB = Job("train", (LINES,), Resources(Decimal("0.1"), 64_000_000), env=ENVIRONMENT)
SCENARIO = Scenario(
    Outcome("", ()), experiments=4, concurrency=4, plan={"jobs": (JOB,)}
)


@pytest.fixture
def namespace() -> Iterator[WorkflowNamespace]:
    created = WorkflowNamespace("riseml-programs")
    # The node may still have the output of an earlier test run.
    created.run_in("store", "store", ["rm", "-rf", f"/output/me/{PROJECT}/{NUMBER}"])
    yield created
    created.leave()


def read(namespace: WorkflowNamespace, sub: int, file: str) -> str:
    path = f"/output/me/{PROJECT}/{NUMBER}/{sub}/{file}"
    return namespace.run_in("store", "store", ["sh", "-c", f"cat {path} 2>&1 || true"])


def log(namespace: WorkflowNamespace, sub: int) -> str:
    return read(namespace, sub, ".riseml/logs/train.0.log")


def test_programs_lose_nothing_in_pods(namespace: WorkflowNamespace) -> None:
    run: Run = namespace.submit(SCENARIO.document(NUMBER, namespace.revision))
    for sub in (3, 4):
        up = lambda sub=sub: "up\n" in log(namespace, sub)  # noqa: E731
        wait_until(up, 120, f"the program of experiment {sub}")
        run.mark_killed(str(sub))
        run.signal(str(sub))
    run.until_ended()
    epochs = "".join(f"epoch {n}\n" for n in range(12))
    assert log(namespace, 1).startswith(epochs)
    assert read(namespace, 3, "ckpt") == "True 1"
    assert read(namespace, 3, "log") == "up\nsaving\nsaved\n"
    assert read(namespace, 4, "ckpt") == "epoch"
    assert log(namespace, 4) == "up\ncheckpoint\n"
    states = [
        " ".join(line.split()[:3]) for line in outcome(run.document()).experiments
    ]
    assert states[:2] == ["FAILED ERROR 137", "FAILED ERROR 5"]
    assert [state.split()[0] for state in states[2:]] == ["KILLED", "KILLED"]
