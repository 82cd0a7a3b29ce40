"""Scenarios for a real Argo: documents, the actions on them, and the outcomes in RiseML's terms.

An outcome names the state of the run and, for each experiment in order, `STATE [REASON] [exit code] [guilty job]`.
"""

import os
import time
from collections.abc import Callable, Mapping
from dataclasses import dataclass, field
from decimal import Decimal
from typing import Any, cast

from riseml import labels
from riseml.compiler import compile_workflow
from riseml.frameworks import jax, mpi, tensorflow
from riseml.plan import (
    Build,
    BuildStep,
    EarlyStop,
    Experiment,
    ExperimentSet,
    Job,
    Metric,
    Origin,
    Resources,
    Retries,
    Target,
)
from riseml.schema.resources import Workers
from tests.cluster.user_namespace import IMAGE, PROJECT, Run, WorkflowNamespace

# IMAGE with openmpi-bin and python3-mpi4py.
MPI_IMAGE = os.environ.get("RISEML_TEST_MPI_IMAGE", "localhost/mpi:1")
# IMAGE with jax.
JAX_IMAGE = os.environ.get("RISEML_TEST_JAX_IMAGE", "localhost/jax:1")
Document = dict[str, Any]
Note = Callable[[str, "Outcome"], None]

CONNECT = """
import json, os, socket, time
config = json.loads(os.environ['TF_CONFIG'])
task = config['task']
server = socket.create_server(('', int(config['cluster'][task['type']][task['index']].rpartition(':')[2])))
end = time.time() + 60
for address in sum(config['cluster'].values(), []):
    host, _, port = address.rpartition(':')
    while True:
        try:
            socket.create_connection((host, int(port)), timeout=5).close()
            break
        except OSError:
            if time.time() > end:
                raise SystemExit('no answer from ' + address)
            time.sleep(0.2)
    print('reached', address, flush=True)
reached = os.environ['RISEML_MEETING'] + '/reached'
os.makedirs(reached, exist_ok=True)
open(os.path.join(reached, os.environ['RISEML_JOB']), 'w').close()
while len(os.listdir(reached)) < len(sum(config['cluster'].values(), [])):  # others may still have to reach this one
    time.sleep(0.2)
"""
# The second experiment, with the smaller rate, is the worse one.
EPOCHS = """
import os, time
rate = float(os.environ['LR'])
for epoch in range(1, 10):
    print('epoch', epoch, 'loss', 1 / rate, flush=True)
    time.sleep(0.2 if epoch < 4 or rate > 0.05 else 300)
"""
RANK_SUM = """
import socket
from mpi4py import MPI
world = MPI.COMM_WORLD
hosts = set(world.allgather(socket.gethostname()))
assert world.allreduce(world.rank) == 6 and world.size == 4 and len(hosts) == 2, (world.size, hosts)
print('sum', world.allreduce(world.rank), 'on', hosts)
"""
TRAP = "import signal, sys, time; signal.signal(15, lambda *_: {}); print('up', flush=True); time.sleep(300)"

# A trainer as people write them: TERM sets a flag, the step in progress ends, then the checkpoint is written.
SAVE = """
import os, signal, sys, time
from concurrent.futures import ProcessPoolExecutor
stopped = False
def stop(*_):
    global stopped
    stopped = True
with ProcessPoolExecutor(1) as pool:
    pool.submit(time.sleep, 0).result()
    signal.signal(signal.SIGTERM, stop)
    print('ready', flush=True)
    while not stopped:
        pool.submit(time.sleep, 0.5).result()
    time.sleep(2)
    pool.submit(time.sleep, 0.5).result()
    print('saved', flush=True)
"""
SLOW_SAVE = """
import signal, sys, time
from mpi4py import MPI
def save(*_):
    time.sleep(10)
    print('saved by', MPI.COMM_WORLD.rank, flush=True)
    sys.exit(0)
signal.signal(signal.SIGTERM, save)
print('ready', flush=True)
while True:
    time.sleep(0.5)
"""
JAX_FAIL = """
import jax, sys, time
jax.distributed.initialize()
print('process', jax.process_index(), 'of', jax.process_count(), flush=True)
if jax.process_index() == 1:
    raise ValueError('diverged')
time.sleep(300)
"""
JAX_SAVE = """
import jax, signal, sys, time
jax.distributed.initialize()
def save(*_):
    time.sleep(3)
    print('saved', flush=True)
    sys.exit(0)
signal.signal(signal.SIGTERM, save)
print('ready', flush=True)
while True:
    time.sleep(0.5)
"""


@dataclass(frozen=True)
class Outcome:
    """What `status.read` must return: the run's state, and a line per experiment and per job of the run.

    `members` are the jobs of the first experiment, if it has several.
    """

    state: str
    experiments: tuple[str, ...]
    jobs: tuple[str, ...] = ()
    members: tuple[str, ...] = ()


@dataclass(frozen=True)
class Scenario:
    """Document and its outcome.

    `before` prepares the namespace; `act` acts on the run and may note outcomes.
    `experiments` is their number, each with `lr` 1e-1, 1e-2, …; 0 means a single one
    without a grid. Quick scenarios are recorded `repeats` times, to distinguish what
    always happens from what happened once.
    """

    outcome: Outcome
    run: tuple[str, ...] = ("sleep 300",)
    experiments: int = 0
    concurrency: int = 1
    plan: Mapping[str, Any] = field(default_factory=dict)
    edit: Callable[[Document], None] = lambda document: None
    before: Callable[[WorkflowNamespace], None] = lambda namespace: None
    act: Callable[[WorkflowNamespace, Run, Note], None] = lambda namespace, run, note: (
        None
    )
    repeats: int = 1

    def document(self, number: int, revision: str) -> Document:
        """Compile the scenario's plan."""
        grid = [
            Experiment(i, {"lr": f"1e-{i}"}) for i in range(1, self.experiments + 1)
        ]
        values: dict[str, Any] = {
            "project": PROJECT,
            "config": f"project: {PROJECT}\n",
            "image": IMAGE,
            "jobs": (Job("train", self.run, Resources(Decimal("0.1"), 64_000_000)),),
            "experiments": tuple(grid or [Experiment(1, {})]),
            "is_set": bool(grid),
            "concurrency": self.concurrency,
            **self.plan,
        }
        steps = tuple(
            BuildStep(step, ("hello.py",)) for step in self.plan.get("install", ())
        )
        build = Build(f"key-{number}", steps) if steps else None
        origin = Origin("me", number, revision, build=build)
        document = compile_workflow(
            ExperimentSet(**values), origin, Target(git_image=IMAGE, build_image=IMAGE)
        )
        self.edit(document)
        return document


_INSTALL = {"install": ("pip install x",)}


def template(document: Document, name: str) -> Document:
    """Return a template of a document."""
    return cast(
        "Document", next(t for t in document["spec"]["templates"] if t["name"] == name)
    )


def one(line: str, *members: str) -> Outcome:
    """Return the outcome of a run with one experiment."""
    return Outcome(line.split(maxsplit=1)[0], (line,), members=members)


def _python(code: str) -> str:
    return f'exec python3 -c "{code}"'


def _kill_run(namespace: WorkflowNamespace, run: Run, note: Note) -> None:
    run.until_node("sub:3).train", "Running")
    run.until_node("sub:4).train", "Running")
    note("running", Outcome("RUNNING", ("FINISHED COMPLETED 0", "FAILED ERROR 3 train", "RUNNING", "RUNNING",
                                        "CREATED CONCURRENCY", "CREATED CONCURRENCY")))  # fmt: skip
    run.mark_killed("*")
    run.terminate()


def gang(worker: int = 3, ps: int = 1, **plan: Any) -> dict[str, Any]:
    """Return plan fields of distributed TensorFlow: a master, `worker` - 1 workers, and parameter servers."""
    options = tensorflow.Options(
        version="2.16.1",
        distributed=tensorflow.Distributed(
            worker=tensorflow.Role(worker), ps=tensorflow.Role(ps)
        ),
    )
    job = Job("train", plan.pop("run", ()), Resources(Decimal("0.05"), 32_000_000))
    return {
        "framework": "tensorflow",
        "jobs": tensorflow.distribute(job, options, IMAGE),
        **plan,
    }


def ranks(*run: str) -> dict[str, Any]:
    """Return plan fields of two workers with two MPI processes each."""
    job = Job("train", run, Resources(Decimal("0.1"), 64_000_000))
    return {
        "framework": "mpi",
        "image": MPI_IMAGE,
        "jobs": mpi.ranks(job, Workers(2, 2)),
    }


def processes(*run: str) -> dict[str, Any]:
    """Return plan fields of two JAX workers with one process each."""
    job = Job("train", run, Resources(Decimal("0.2"), 256_000_000))
    return {
        "framework": "jax",
        "image": JAX_IMAGE,
        "jobs": jax.distribute(job, jax.Options(workers=Workers(2, 1)), JAX_IMAGE),
    }


def _meeting(then: str) -> tuple[str, ...]:
    """Return lines by which every job connects to every other at the addresses of TF_CONFIG, then another line."""
    return (f'python3 -c "{CONNECT}"', then)


def _by_job(**lines: str) -> str:
    """Return a line that differs between jobs; `others` is for jobs that are not named."""
    cases = " ".join(
        f"{job.replace('_', '.')}) {line};;"
        for job, line in lines.items()
        if job != "others"
    )
    return f'case "$RISEML_JOB" in {cases} *) {lines.get("others", "sleep 300")};; esac'


def _until_met(run: Run, *subs: str) -> None:
    for sub in subs or ("1",):
        for task in ("master", "worker-1", "worker-2", "ps"):
            run.until_node(f"sub:{sub}).{task}", "Running")
    run.until(
        lambda run: all(pod.status.phase == "Running" for pod in run.pods()),
        description="to run",
    )
    # The jobs need some time to connect.
    time.sleep(5)


def _kill_gang(namespace: WorkflowNamespace, run: Run, note: Note) -> None:
    _until_met(run)
    note("running", one("RUNNING", *["RUNNING"] * 4))
    run.mark_killed("*")
    run.terminate()


def _kill_released(namespace: WorkflowNamespace, run: Run, note: Note) -> None:
    run.until_node("sub:1).master(0)", "Failed")
    run.until_node("sub:1).master(1)", "Running")
    run.mark_killed("*")
    run.terminate()


def _kill_one_gang(namespace: WorkflowNamespace, run: Run, note: Note) -> None:
    _until_met(run, "1")
    run.mark_killed("1")
    run.signal("1")


def _kill_9(job: str) -> Callable[[WorkflowNamespace, Run, Note], None]:
    """Return an action that kills the program of a job as the kernel does without memory."""

    def act(namespace: WorkflowNamespace, run: Run, note: Note) -> None:
        _until_met(run)
        (pod,) = [pod for pod in run.pods() if pod.spec.hostname.endswith(f"-1-{job}")]
        sleepers = "for p in /proc/[0-9]*; do case $(cat $p/comm) in sleep) kill -9 ${p#/proc/};; esac; done"
        namespace.run_in(pod.metadata.name, "main", ["sh", "-c", sleepers])

    return act


def _watch_grid(namespace: WorkflowNamespace, run: Run, note: Note) -> None:
    run.until_node("sub:1).master", "Running")
    waits = "CREATED CONCURRENCY"
    note(
        "first",
        Outcome("RUNNING", ("RUNNING", waits, waits, waits), members=("RUNNING",) * 4),
    )


def _ask_too_much(document: Document) -> None:
    template(document, "ps")["container"]["resources"]["requests"]["cpu"] = "1000"


def _lose_name(document: Document) -> None:
    """Let the master connect to a host name that no pod has."""
    for entry in template(document, "master")["container"]["env"]:
        if entry["name"] == "RISEML_GANG":
            entry["value"] = entry["value"].replace("-ps.riseml", "-ps.nothing")


def _edit_tensorboard(
    patience: str = "10m", **changes: Any
) -> Callable[[Document], None]:
    """Return an edit of TensorBoard's container and of the time that it may wait for a node."""

    def edit(document: Document) -> None:
        tensorboard_template = template(document, "tensorboard")
        tensorboard_template["container"] |= changes
        tensorboard_template["pendingTimeout"] = patience

    return edit


def _kill_experiments(namespace: WorkflowNamespace, run: Run, note: Note) -> None:
    run.until_node("sub:1).train", "Running")
    run.until_node("sub:2).train", "Running")
    run.mark_killed("1", "3")
    note("marked", Outcome("RUNNING", ("RUNNING", "RUNNING", "KILLED KILLED")))
    run.signal("1")


def _terminate(namespace: WorkflowNamespace, run: Run, note: Note) -> None:
    run.until_node(".train", "Running")
    run.mark_killed("*")
    run.terminate()


def _signal(namespace: WorkflowNamespace, run: Run, note: Note) -> None:
    run.until_node(".train", "Running")
    run.mark_killed("1")
    run.signal("1")


def _kill_ready(count: int) -> Callable[[WorkflowNamespace, Run, Note], None]:
    """Return an action that stops a run once its pods have printed `ready` so often."""

    def are_ready(namespace: WorkflowNamespace, run: Run) -> bool:
        read = namespace.core.read_namespaced_pod_log
        logs = ""
        for pod in run.pods():
            if pod.status.phase == "Running":
                logs += read(pod.metadata.name, namespace.name, container="main")
        # Lines of several processes may interleave.
        return logs.count("ready") >= count

    def act(namespace: WorkflowNamespace, run: Run, note: Note) -> None:
        run.until(lambda run: are_ready(namespace, run), description="to be ready")
        run.mark_killed("*")
        run.terminate()

    return act


def _kill_retry(namespace: WorkflowNamespace, run: Run, note: Note) -> None:
    run.until_node(".train(1)", "Running")
    note("second attempt", one("RUNNING"))
    run.mark_killed("1")
    run.signal("1")


def _kill_waiting(
    state: str, message: str
) -> Callable[[WorkflowNamespace, Run, Note], None]:
    def act(namespace: WorkflowNamespace, run: Run, note: Note) -> None:
        run.until_node(".train", "Pending", message=message)
        note("waiting", one(state))
        run.mark_killed("*")
        run.terminate()

    return act


def _delete_pod(namespace: WorkflowNamespace, run: Run, note: Note) -> None:
    run.until_node(".train", "Running")
    run.delete_pods("1")


def _evict(namespace: WorkflowNamespace, run: Run, note: Note) -> None:
    run.until_node(".train", "Running")
    for pod in run.pods():
        name = pod.metadata.name
        namespace.core.create_namespaced_pod_eviction(
            name, namespace.name, {"metadata": {"name": name}}
        )


def _watch_slot(namespace: WorkflowNamespace, run: Run, note: Note) -> None:
    run.until_node("sub:1).train", "Running")
    note(
        "first",
        Outcome("RUNNING", ("RUNNING", "CREATED CONCURRENCY", "CREATED CONCURRENCY")),
    )


def _lock(document: Document) -> None:
    template(document, "train")["synchronization"] = {"mutexes": [{"name": "recorded"}]}


def _hold_lock(namespace: WorkflowNamespace) -> None:
    document = SCENARIOS["mutex"].document(1, namespace.revision)
    namespace.submit(document).until_node(".train", "Running")


def _wait_for_lock(namespace: WorkflowNamespace, run: Run, note: Note) -> None:
    run.until_node(".train", "Pending", message="lock")
    note("waiting", one("PENDING LOCK"))


def _forbid_pods(namespace: WorkflowNamespace) -> None:
    namespace.limit_pods(1)


def _quota(namespace: WorkflowNamespace, run: Run, note: Note) -> None:
    try:
        run.until_node(".train", "Pending", message="quota")
        note("waiting", one("PENDING QUOTA"))
    finally:
        namespace.limit_pods(None)


def _limit_pod(document: Document) -> None:
    """Let Argo end the pod at the timeout, as older versions did."""
    body = template(document, "train")
    body["activeDeadlineSeconds"] = 8
    variables = body["container"]["env"]
    variables[:] = [entry for entry in variables if entry["name"] != "RISEML_TIMEOUT"]


def _mark_second(document: Document) -> None:
    document["metadata"]["annotations"][labels.KILLED] = "2=2020-01-01T00:00:00Z"


def _refuse(document: Document) -> None:
    document["spec"]["entrypoint"] = "nothing"


def _forget_revision(document: Document) -> None:
    (checkout,) = template(document, "train")["initContainers"]
    next(e for e in checkout["env"] if e["name"] == "REVISION")["value"] = "0" * 40


def _limit_memory(document: Document) -> None:
    template(document, "train")["container"]["resources"]["limits"] = {"memory": "64M"}


def _add_sidecar(script: str) -> Callable[[Document], None]:
    def edit(document: Document) -> None:
        sidecar = {
            "name": "tensorboard",
            "image": IMAGE,
            "command": ["sh", "-c"],
            "args": [script],
        }
        template(document, "train")["sidecars"] = [sidecar]

    return edit


def _build_by(script: str) -> Callable[[Document], None]:
    """Let a script stand for the client of BuildKit, which this cluster need not have."""

    def edit(document: Document) -> None:
        build = template(document, "build")
        build["container"]["args"] = [script]
        known = {volume["name"] for volume in document["spec"]["volumes"]} - {
            "certificates"
        }
        mounts = build["container"]["volumeMounts"]
        build["container"]["volumeMounts"] = [
            mount for mount in mounts if mount["name"] in known
        ]
        build.pop("volumes", None)

    return edit


def _watch_build(namespace: WorkflowNamespace, run: Run, note: Note) -> None:
    run.until_node(".build", "Running")
    note("building", Outcome("BUILDING", ("BUILDING", "BUILDING"), ("build RUNNING",)))


def _watch_tensorboard(namespace: WorkflowNamespace, run: Run, note: Note) -> None:
    run.until_node("sub:2).train", "Running")
    note(
        "second",
        Outcome(
            "RUNNING", ("FINISHED COMPLETED 0", "RUNNING"), ("tensorboard RUNNING",)
        ),
    )


def _kill_build(namespace: WorkflowNamespace, run: Run, note: Note) -> None:
    run.until_node(".build", "Running")
    run.mark_killed("*")
    run.terminate()


SCENARIOS: dict[str, Scenario] = {
    "success": Scenario(
        one("FINISHED COMPLETED 0"),
        run=("cd /code && python3 hello.py", 'echo 3/10 > "$ARGO_PROGRESS_FILE"',
             'echo "{\\"accuracy\\": 0.5}" >> "$RESULT_FILE"', 'echo "{\\"accuracy\\": 0.9}" >> "$RESULT_FILE"'),
        repeats=5,
    ),
    "failure": Scenario(one("FAILED ERROR 3 train"), run=("echo before", "exit 3", "echo after"), repeats=5),
    "one-of-four-fails": Scenario(
        Outcome("FAILED", ("FINISHED COMPLETED 0", "FAILED ERROR 3 train", *["FINISHED COMPLETED 0"] * 2)),
        run=('if [ "$LR" = 1e-2 ]; then exit 3; fi',), experiments=4, concurrency=2, repeats=5,
    ),
    "parallelism-1": Scenario(
        Outcome("FINISHED", ("FINISHED COMPLETED 0",) * 3), run=("sleep 9",), experiments=3, act=_watch_slot, repeats=5
    ),
    "parallelism-2": Scenario(
        Outcome("FINISHED", ("FINISHED COMPLETED 0",) * 4), run=("sleep 1",), experiments=4, concurrency=2, repeats=5
    ),
    "kill-run": Scenario(
        Outcome("FAILED", ("FINISHED COMPLETED 0", "FAILED ERROR 3 train", "KILLED KILLED 143", "KILLED KILLED 143",
                           "KILLED KILLED", "KILLED KILLED")),
        run=('case "$LR" in 1e-1) exit 0;; 1e-2) exit 3;; *) sleep 300;; esac',),
        experiments=6, concurrency=2, act=_kill_run,
    ),
    "kill-experiments": Scenario(
        Outcome("KILLED", ("KILLED KILLED 143", "FINISHED COMPLETED 0", "KILLED KILLED")),
        run=('if [ "$LR" = 1e-2 ]; then sleep 20; else sleep 300; fi',),
        experiments=3, concurrency=2, act=_kill_experiments,
    ),
    "kill-trapped": Scenario(
        one("KILLED KILLED 0"), run=(_python(TRAP.format("sys.exit(0)")),), act=_terminate
    ),
    "kill-experiment-trapped": Scenario(
        one("KILLED KILLED 0"), run=(_python(TRAP.format("sys.exit(0)")),), act=_signal
    ),
    "retry-succeeds": Scenario(
        one("FINISHED COMPLETED 0"), run=('[ "$RISEML_ATTEMPT" = 2 ]',), plan={"retries": Retries(3)}, repeats=5
    ),
    "retry-exhausted": Scenario(
        one("FAILED ERROR 4 train"), run=("exit 4",), plan={"retries": Retries(2)}, repeats=5
    ),
    "retry-not-this-cause": Scenario(
        one("FAILED ERROR 4 train"), run=("exit 4",), plan={"retries": Retries(2, ("oom",))}
    ),
    "retry-killed": Scenario(
        one("KILLED KILLED 143"), run=('[ "$RISEML_ATTEMPT" != 0 ] || exit 4', "sleep 300"),
        plan={"retries": Retries(3)}, act=_kill_retry,
    ),
    "timeout": Scenario(one("FAILED TIMEOUT 143 train"), plan={"timeout": 8}, edit=_limit_pod),
    "timeout-checkpoint": Scenario(
        one("FAILED TIMEOUT 0 train"), plan={"timeout": 8}, edit=_limit_pod,
        run=(_python(TRAP.format("(time.sleep(3), open('/output/checkpoint', 'w').write('x'), sys.exit(0))")),),
    ),
    "when-skipped": Scenario(
        Outcome("KILLED", ("FINISHED COMPLETED 0", "KILLED KILLED", "FINISHED COMPLETED 0")),
        run=("true",), experiments=3, concurrency=2, edit=_mark_second, repeats=5,
    ),
    "mutex": Scenario(
        one("FINISHED COMPLETED 0"), run=("sleep 12",), edit=_lock, before=_hold_lock, act=_wait_for_lock
    ),
    "sidecar": Scenario(one("FINISHED COMPLETED 0"), run=("sleep 2",), edit=_add_sidecar("sleep infinity")),
    "sidecar-fails": Scenario(one("FAILED SIDECAR 0 train"), run=("sleep 6",), edit=_add_sidecar("exit 1")),
    "command-not-found": Scenario(one("FAILED COMMAND 127 train"), run=("no-such-command --lr 1",)),
    "no-shell": Scenario(one("FAILED COMMAND 64 train"), plan={"image": "localhost/pause:1"}),
    "image-missing": Scenario(
        one("KILLED KILLED"), plan={"image": "localhost/nothing:1"}, act=_kill_waiting("STARTING IMAGE", "mage")
    ),
    "secret-missing": Scenario(
        one("KILLED KILLED"), plan={"secrets": ("TOKEN",)}, act=_kill_waiting("STARTING CONFIG", "secret")
    ),
    "unschedulable": Scenario(
        one("KILLED KILLED"),
        plan={"jobs": (Job("train", ("true",), Resources(Decimal(1000))),)},
        act=_kill_waiting("PENDING UNSCHEDULABLE", "Unschedulable"),
    ),
    "quota": Scenario(one("FINISHED COMPLETED 0"), run=("true",), before=_forbid_pods, act=_quota),
    "out-of-memory": Scenario(
        one("FAILED OOM 137 train"), run=(_python("x = bytearray(10**9)"),), edit=_limit_memory
    ),
    "no-such-revision": Scenario(one("FAILED CHECKOUT train"), run=("true",), edit=_forget_revision),
    "pod-deleted": Scenario(one("FAILED DELETED train"), act=_delete_pod),
    "evicted": Scenario(one("FAILED DELETED train"), act=_evict),
    "refused": Scenario(one("FAILED PLATFORM"), edit=_refuse),
    "build": Scenario(
        Outcome("FINISHED", ("FINISHED COMPLETED 0",) * 2, ("build FINISHED COMPLETED 0",)),
        run=("true",), experiments=2, concurrency=2, plan=_INSTALL,
        edit=_build_by(f"sleep 12; printf %s {IMAGE} > /riseml/image"), act=_watch_build,
    ),
    "build-fails": Scenario(
        Outcome("FAILED", ("FAILED BUILD 7 build",) * 2, ("build FAILED ERROR 7",)),
        run=("true",), experiments=2, concurrency=2, plan=_INSTALL, edit=_build_by("exit 7"), repeats=5,
    ),
    "build-killed": Scenario(
        Outcome("KILLED", ("KILLED KILLED",) * 2, ("build KILLED KILLED 143",)),
        experiments=2, plan=_INSTALL, edit=_build_by("exec sleep 300"), act=_kill_build,
    ),
    "tensorboard": Scenario(
        Outcome("FINISHED", ("FINISHED COMPLETED 0",) * 2, ("tensorboard KILLED KILLED",)),
        run=("sleep 9",), experiments=2, plan={"framework": "tensorflow", "tensorboard": True}, act=_watch_tensorboard,
    ),
    "tensorboard-single": Scenario(
        Outcome("FINISHED", ("FINISHED COMPLETED 0",), ("tensorboard KILLED KILLED",)),
        run=("sleep 9",), plan={"framework": "tensorflow", "tensorboard": True},
    ),
    "tensorboard-crashes": Scenario(
        Outcome("FINISHED", ("FINISHED COMPLETED 0",), ("tensorboard FAILED ERROR 1",)),
        run=("sleep 20",), plan={"framework": "tensorflow", "tensorboard": True},
        edit=_edit_tensorboard(args=["sleep 3; exit 1"]),
    ),
    "tensorboard-out-of-memory": Scenario(
        Outcome("FINISHED", ("FINISHED COMPLETED 0",), ("tensorboard FAILED OOM 137",)),
        run=("sleep 40",), plan={"framework": "tensorflow", "tensorboard": True},
        edit=_edit_tensorboard(args=[_python("import time; time.sleep(15); x = bytearray(10**9)")],
                    resources={"requests": {"memory": "64M"}, "limits": {"memory": "64M"}}),
    ),
    "tensorboard-unscheduled": Scenario(
        Outcome("FINISHED", ("FINISHED COMPLETED 0",), ("tensorboard FAILED UNSCHEDULED",)),
        run=("sleep 5",), plan={"framework": "tensorflow", "tensorboard": True},
        edit=_edit_tensorboard("20s", resources={"requests": {"cpu": "1000"}}),
    ),
    "gang": Scenario(
        one("FINISHED COMPLETED 0", *["FINISHED COMPLETED 0"] * 3, "FINISHED STOPPED"),
        plan=gang(run=_meeting(_by_job(ps="sleep 300", others="sleep 3"))), repeats=5,
    ),
    "ps-fails": Scenario(
        one("FAILED ERROR 5 ps", *["KILLED PEER"] * 3, "FAILED ERROR 5"),
        plan=gang(run=_meeting(_by_job(ps="sleep 5; exit 5"))),
    ),
    "master-fails": Scenario(
        one("FAILED ERROR 6 master", "FAILED ERROR 6", *["KILLED PEER"] * 3),
        plan=gang(run=_meeting(_by_job(master="sleep 5; exit 6"))),
    ),
    "worker-fails": Scenario(
        one("FAILED ERROR 7 worker.2", *["KILLED PEER"] * 2, "FAILED ERROR 7", "KILLED PEER"),
        plan=gang(run=_meeting(_by_job(worker_2="sleep 5; exit 7"))), repeats=3,
    ),
    "peers-ignore-term": Scenario(
        one("FAILED ERROR 7 worker.2", *["KILLED PEER"] * 2, "FAILED ERROR 7", "KILLED PEER"),
        plan=gang(run=_meeting(_by_job(worker_2="exit 7", others="trap '' TERM; sleep 300"))),
    ),
    "ps-killed": Scenario(
        one("FAILED ERROR 137 ps", *["KILLED PEER"] * 3, "FAILED ERROR 137"),
        plan=gang(run=_meeting("sleep 300")), act=_kill_9("ps"),
    ),
    "worker-killed": Scenario(
        one("FAILED ERROR 137 worker.1", "KILLED PEER", "FAILED ERROR 137", *["KILLED PEER"] * 2),
        plan=gang(run=_meeting("sleep 300")), act=_kill_9("worker-1"),
    ),
    "master-killed": Scenario(
        one("FAILED ERROR 137 master", "FAILED ERROR 137", *["KILLED PEER"] * 3),
        plan=gang(run=_meeting("sleep 300")), act=_kill_9("master"),
    ),
    "port-taken": Scenario(
        one("FAILED ERROR 1 worker.1", "KILLED PEER", "FAILED ERROR 1", *["KILLED PEER"] * 2),
        plan=gang(run=(_by_job(worker_1="(python3 -m http.server 2222 &); sleep 2", others="true"),
                       *_meeting("sleep 300"))),
    ),
    "gang-killed": Scenario(
        one("KILLED KILLED 143", *["KILLED KILLED 143"] * 3, "KILLED KILLED"),
        plan=gang(run=_meeting("sleep 300")), act=_kill_gang,
    ),
    "gang-experiment-killed": Scenario(
        Outcome("KILLED", ("KILLED KILLED 143", "FINISHED COMPLETED 0"),
                members=(*["KILLED KILLED 143"] * 3, "KILLED KILLED")),
        plan=gang(run=_meeting('case "$RISEML_JOB $LR" in *1e-1 | ps*) sleep 300;; esac')), experiments=2,
        act=_kill_one_gang,
    ),
    "gang-grid-1": Scenario(
        Outcome("FAILED", ("FINISHED COMPLETED 0", "FAILED ERROR 3 worker.1", *["FINISHED COMPLETED 0"] * 2),
                members=(*["FINISHED COMPLETED 0"] * 3, "FINISHED STOPPED")),
        plan=gang(run=_meeting('case "$RISEML_JOB $LR" in "worker.1 1e-2") exit 3;; ps*) sleep 300;; esac; sleep 12')),
        experiments=4, act=_watch_grid,
    ),
    "gang-grid-2": Scenario(
        Outcome("FINISHED", ("FINISHED COMPLETED 0",) * 4, members=(*["FINISHED COMPLETED 0"] * 3, "FINISHED STOPPED")),
        plan=gang(run=_meeting(_by_job(ps="sleep 300", others="true"))), experiments=4, concurrency=2,
    ),
    "gang-waits": Scenario(
        one("KILLED KILLED", *["KILLED KILLED"] * 4),
        plan=gang(run=("sleep 300",), gang_timeout=15), edit=_ask_too_much, act=_kill_released,
    ),
    "gang-nameless": Scenario(
        one("FAILED GANG 75 master", "FAILED GANG 75", *["KILLED PEER"] * 3),
        plan=gang(run=("sleep 300",), gang_timeout=15), edit=_lose_name,
    ),
    "mpi": Scenario(
        one("FINISHED COMPLETED 0", *["FINISHED COMPLETED 0"] * 2),
        plan=ranks(
            f'exec python3 -c "{RANK_SUM}"',
            'sleep 0.$OMPI_COMM_WORLD_RANK; touch "$OUTPUT_DIR/part-$OMPI_COMM_WORLD_RANK"',
            '[ "$(ls "$OUTPUT_DIR" | grep -c part-)" = 4 ]',
        ),
    ),
    "mpi-rank-fails": Scenario(
        one("FAILED ERROR 5 worker.2", "KILLED PEER", "FAILED ERROR 5"),
        plan=ranks('[ "$OMPI_COMM_WORLD_RANK" != 3 ] || exit 5; sleep 300', "false"),
    ),
    "gang-retry-succeeds": Scenario(
        one("FINISHED COMPLETED 0", *["FINISHED COMPLETED 0"] * 3, "FINISHED STOPPED"),
        plan=gang(run=_meeting('case "$RISEML_JOB $RISEML_ATTEMPT" in "worker.1 0") exit 4;; worker.1*) ;; '
                               'ps* | *0) sleep 300;; esac'), retries=Retries(2)),
    ),
    "gang-retry-exhausted": Scenario(
        one("FAILED ERROR 9 ps", *["KILLED PEER"] * 3, "FAILED ERROR 9"),
        plan=gang(run=_meeting(_by_job(ps="exit 9")), retries=Retries(1)),
    ),
    "pipe-fails": Scenario(
        one("FAILED ERROR 3 train"), run=('sh -c "echo before; exit 3" | tee "$OUTPUT_DIR/log.txt"', "echo after")
    ),
    "killed-by-kernel": Scenario(
        one("FAILED ERROR 137 train"),
        run=('python3 -c "import os, signal; print(1); print(2); os.kill(os.getpid(), signal.SIGKILL)"',),
    ),
    "pipe-killed": Scenario(
        one("KILLED KILLED 143"), run=(f'python3 -c "{SAVE}" | tee "$OUTPUT_DIR/log.txt"',), act=_kill_ready(1)
    ),
    "files-kept": Scenario(
        one("FAILED ERROR 4 train"),
        run=("mkdir -p runs && echo weights > model.pt && echo curve > runs/events && echo 2 >> hello.py", "exit 4"),
    ),
    "result-long": Scenario(
        one("FINISHED COMPLETED 0"),
        run=(_python("import riseml; riseml.report_result(best=0.5, **{f'ap_{i}': i / 7 for i in range(300)})"),),
    ),
    "result-of-attempts": Scenario(
        one("FINISHED COMPLETED 0"), plan={"retries": Retries(2)},
        run=(('python3 -c "import riseml, os; a = int(os.environ[\'RISEML_ATTEMPT\']); '
             'riseml.report_result(**{f\'of_{a}\': a}); raise SystemExit(0 if a else 3)"'),),
    ),
    "mpi-killed": Scenario(
        one("KILLED KILLED", *["KILLED KILLED"] * 2),
        plan=ranks(f'exec python3 -c "{SLOW_SAVE}"'), act=_kill_ready(4),
    ),
    "jax-process-fails": Scenario(
        one("FAILED ERROR 1 worker.2", "KILLED PEER", "FAILED ERROR 1"), plan=processes(f'exec python3 -c "{JAX_FAIL}"')
    ),
    "jax-killed": Scenario(
        one("KILLED KILLED 0", *["KILLED KILLED 0"] * 2),
        plan=processes(f'exec python3 -c "{JAX_SAVE}"'), act=_kill_ready(2),
    ),
    "early-stop": Scenario(
        Outcome("FINISHED", ("FINISHED COMPLETED 0", "FINISHED EARLY 0")), run=(_python(EPOCHS),), experiments=2,
        plan={"early_stop": EarlyStop((3,), 9, metric=Metric("loss", "min"))},
    ),
    "lines-timeout": Scenario(
        one("FAILED TIMEOUT 124 train"), plan={"timeout": 5},
        run=(_python(TRAP.format("(open('/output/checkpoint', 'w').write('x'), sys.exit(0))")),),
    ),
    # The pod ends after the timeout, but its lines do not.
    "lines-in-time": Scenario(
        one("FINISHED COMPLETED 0"), plan={"timeout": 5}, run=("sleep 1",), edit=_add_sidecar("trap '' TERM; sleep 12"),
    ),
}  # fmt: skip
