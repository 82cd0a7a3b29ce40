"""Time until the peers of a failed job end, on the cluster of KUBECONFIG: `python -m benchmarks.peers`.

From the end of the first container that failed to the moment when no pod of its experiment runs any more; the bar is
30 seconds.
"""

import time
from datetime import UTC, datetime

from tests.cluster.scenarios import SCENARIOS
from tests.cluster.user_namespace import Run, WorkflowNamespace, wait_until

NAMES = (
    "master-fails",
    "worker-fails",
    "ps-fails",
    "peers-ignore-term",
    "mpi-rank-fails",
)
BAR = 30.0


def failed_at(run: Run) -> datetime | None:
    """Return when the first main container of a run failed."""
    ends = [
        container.state.terminated.finished_at
        for pod in run.pods()
        for container in pod.status.container_statuses or ()
        if container.name == "main"
        and container.state.terminated
        and container.state.terminated.exit_code
    ]
    return min(ends, default=None)


def measure(namespace: WorkflowNamespace, name: str, number: int) -> float:
    """Return the seconds from the first failure to the end of the last peer."""
    run = namespace.submit(SCENARIOS[name].document(number, namespace.revision))
    began = None
    while began is None:
        began = failed_at(run)
        time.sleep(0.2)
    wait_until(
        lambda: all(
            pod.status.phase not in ("Running", "Pending") for pod in run.pods("1")
        ),
        120,
        "the peers",
    )
    return (datetime.now(UTC) - began).total_seconds()


def main() -> None:
    """Measure each kind of failure three times."""
    namespace = WorkflowNamespace("riseml-peers")
    for index, name in enumerate(NAMES):
        seconds = sorted(
            measure(namespace, name, 2000 + 10 * index + i) for i in range(3)
        )
        print(
            f"{name:20} {seconds[1]:5.1f} s (median of 3, at most {seconds[-1]:.1f}; bar {BAR:.0f})",
            flush=True,
        )


if __name__ == "__main__":
    main()
