"""View of what running jobs on a cluster use, for a screen that is redrawn every second.

    metadata of Workflows, pods ── every 5 s ──▶ running jobs
    a shell in each pod ── usage.sh ────────────▶ CPU, memory, disk, network, GPUs ─┐
    metrics.k8s.io, if there is one ────────────▶ CPU, memory of the others ────────┴▶ JobUsage

The shells run beside the jobs, at most as many as a person can look at. They end with
their connections. The metrics API knows less, and is half a minute late: it stands in for
images without a shell, and for further jobs.
"""

import time
from collections.abc import Callable, Iterable, Iterator, Mapping
from concurrent.futures import ThreadPoolExecutor
from datetime import datetime
from pathlib import Path

from riseml import labels
from riseml.cluster.api import Api, Object, path
from riseml.cluster.store_shell import ContainerShell
from riseml.dataclass import dataclass, replace
from riseml.engines.argo import pod_usage
from riseml.engines.argo.pod_log import job_key, main_state
from riseml.engines.argo.pod_usage import Counters
from riseml.engines.argo.workflows import Workflows, pod_selector
from riseml.errors import RiseMLError
from riseml.ids import Id
from riseml.plan import Resources
from riseml.quantities import bytes_of
from riseml.readings import JobUsage
from riseml.status import document as doc

_LIST_SECONDS = 5.0
# The first reading takes so long, so that it has rates as well.
_FIRST_SECONDS = 1.0
_MAX_SHELLS = 50
_THREADS = 16
_METRICS = "/apis/metrics.k8s.io/v1beta1/namespaces/{namespace}/pods"
_PARTS_OF_CORES = {"": 1, "m": 1_000, "u": 1_000_000, "n": 1_000_000_000}
_MAIN = "main"
_SCRIPT = Path(__file__).with_name("usage.sh")
_UNREADABLE = "its container cannot be read: {error}"
_TOO_MANY = (
    f"measured are the {_MAX_SHELLS} jobs that started first; "
    "`riseml monitor ID` shows others"
)


@dataclass(frozen=True)
class RunningPod:
    """A running pod, and the job that it belongs to."""

    name: str
    job: str
    project: str
    type: str
    started: datetime | None
    requested: Resources


class ArgoUsageView:
    """What running jobs use; see `riseml.engines.views.UsageView`."""

    def __init__(
        self,
        workflows: Workflows,
        selected: Id,
        clock: Callable[[], float] = time.monotonic,
    ) -> None:
        self._workflows, self._selected, self._clock = workflows, selected, clock
        self._api: Api = workflows.api
        self._namespace = workflows.namespace_of(selected)
        self._script = _SCRIPT.read_text("utf-8")
        self._pods: list[RunningPod] = []
        self._listed_at: float | None = None
        self._shells: dict[str, ContainerShell] = {}
        self._readings: dict[str, tuple[float, Counters]] = {}
        self._has_metrics = True
        self._threads = ThreadPoolExecutor(_THREADS)

    def read(self) -> list[JobUsage]:
        """Return what the jobs use now."""
        is_first = self._listed_at is None
        usages = self._read()
        if is_first and usages:
            time.sleep(_FIRST_SECONDS)
            usages = self._read()
        return usages

    def close(self) -> None:
        """Close the connections."""
        for shell in self._shells.values():
            shell.close()
        self._threads.shutdown(wait=False)

    def _read(self) -> list[JobUsage]:
        now = self._clock()
        if self._listed_at is None or now - self._listed_at >= _LIST_SECONDS:
            self._listed_at = now
            self._pods = list(self._list())
        measured = self._pods[:_MAX_SHELLS]
        self._open_shells(pod.name for pod in measured)
        usages = list(self._threads.map(self._measure, measured))
        for pod in self._pods[_MAX_SHELLS:]:
            usages.append(_usage_of(pod, note=_TOO_MANY))
        if all(usage.mem is not None for usage in usages):
            return usages
        metrics = self._read_metrics()
        return [_with_metrics(usage, metrics) for usage in usages]

    def _list(self) -> Iterator[RunningPod]:
        """Yield the running pods that the id selects, in the order of their start."""
        selector = f"{labels.PHASE}=Running"
        number = self._selected.number
        selector += (
            f",{labels.NUMBER}" if number is None else f",{labels.NUMBER}={number}"
        )
        by_name = {}
        for workflow in self._workflows.metadata(self._namespace, selector):
            by_name[workflow["metadata"]["name"]] = workflow["metadata"]
        if not by_name:
            return
        pods = self._api.items(
            path("pods", self._namespace),
            labelSelector=pod_selector(by_name),
            fieldSelector="status.phase=Running",
        )
        for pod in sorted(pods, key=_started):
            tags = pod["metadata"]["labels"]
            running = _running_pod(pod, by_name[tags[labels.WORKFLOW]]["labels"])
            if running is not None and _selects(self._selected, running, tags):
                yield running

    def _open_shells(self, names: Iterable[str]) -> None:
        """Keep a shell for each pod, and close those of pods that have ended."""
        shells: dict[str, ContainerShell] = {}
        for name in names:
            shell = self._shells.pop(name, None)
            shells[name] = shell or ContainerShell(
                self._api, self._namespace, name, _MAIN
            )
        for shell in self._shells.values():
            shell.close()
        self._shells = shells

    def _measure(self, pod: RunningPod) -> JobUsage:
        try:
            output = self._shells[pod.name].script(self._script)
            counters = pod_usage.parse(output.decode(errors="replace"))
        except (RiseMLError, ValueError, IndexError) as error:
            return _usage_of(pod, note=_UNREADABLE.format(error=error))
        now = self._clock()
        earlier = self._readings.get(pod.name)
        self._readings[pod.name] = now, counters
        usage = replace(_usage_of(pod), mem=counters.mem, gpus=counters.gpus)
        if earlier is None:
            return usage
        return _with_rates(usage, counters, earlier[1], now - earlier[0])

    def _read_metrics(self) -> dict[str, Object]:
        """Return what the metrics API says of the container of each job, by the job's id.

        A cluster without it, or one that forbids it, is not asked again.
        """
        if not self._has_metrics:
            return {}
        jobs = {pod.name: pod.job for pod in self._pods}
        try:
            items = list(self._api.items(_METRICS.format(namespace=self._namespace)))
        except RiseMLError:
            self._has_metrics = False
            return {}
        used = {}
        for item in items:
            job = jobs.get(item["metadata"]["name"])
            container = doc.named(item.get("containers")).get(_MAIN)
            if job and container:
                used[job] = container["usage"]
        return used


def _with_metrics(usage: JobUsage, metrics: Mapping[str, Object]) -> JobUsage:
    """Return what a job uses as the metrics API says, if nothing was measured in its pod."""
    used = metrics.get(usage.id)
    if used is None or usage.mem is not None:
        return usage
    return replace(
        usage,
        cpu=_cores(used["cpu"]),
        mem=bytes_of(used["memory"]),
        note="",
    )


def _cores(text: str) -> float:
    """Return an amount of cores such as `156340n`."""
    digits = text.rstrip("num")
    return int(digits) / _PARTS_OF_CORES[text.removeprefix(digits)]


def _running_pod(pod: Object, run: Mapping[str, str]) -> RunningPod | None:
    """Return the job of a pod whose container runs, given the labels of its Workflow."""
    state = main_state(pod).get("running")
    experiment, type_, index = job_key(pod)
    if state is None or not type_:
        return None
    is_set = run.get(labels.KIND) == "set"
    parts = [run[labels.NUMBER], experiment if is_set else "", type_, index]
    containers = doc.named(pod["spec"].get("containers"))
    template = {"container": containers.get(_MAIN, {}), "metadata": pod["metadata"]}
    return RunningPod(
        pod["metadata"]["name"],
        ".".join(filter(None, parts)),
        run.get(labels.PROJECT, ""),
        type_,
        doc.time(state.get("startedAt")),
        doc.resources(template),
    )


def _selects(selected: Id, pod: RunningPod, tags: Mapping[str, str]) -> bool:
    """Return whether an id selects a job; a TensorBoard only by its own id."""
    experiment = tags.get(labels.EXPERIMENT, "")
    if selected.sub is not None and str(selected.sub) != experiment:
        return False
    if selected.type is None:
        return pod.type != "tensorboard"
    index = tags.get(labels.INDEX, "")
    return (selected.type, str(selected.index or "")) == (pod.type, index)


def _usage_of(pod: RunningPod, note: str = "") -> JobUsage:
    return JobUsage(
        pod.job,
        project=pod.project,
        type=pod.type,
        started=pod.started,
        requested=pod.requested,
        note=note,
    )


def _with_rates(
    usage: JobUsage, now: Counters, earlier: Counters, seconds: float
) -> JobUsage:
    cpu = None
    if now.cpu_seconds is not None and earlier.cpu_seconds is not None:
        cpu = _rate(now.cpu_seconds, earlier.cpu_seconds, seconds)
    return replace(
        usage,
        cpu=cpu,
        disk_read=_rate(now.disk_read, earlier.disk_read, seconds),
        disk_written=_rate(now.disk_written, earlier.disk_written, seconds),
        net_received=_rate(now.net_received, earlier.net_received, seconds),
        net_sent=_rate(now.net_sent, earlier.net_sent, seconds),
    )


def _rate(value: float, earlier: float, seconds: float) -> float | None:
    return max(0.0, value - earlier) / seconds if seconds > 0 else None


def _started(pod: Object) -> str:
    return str(main_state(pod).get("running", {}).get("startedAt", ""))
