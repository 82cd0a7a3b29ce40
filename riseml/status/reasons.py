"""Reasons why a job waits or has ended: one word, and a sentence with the details.

| word | meaning | read from |
|---|---|---|
| CONCURRENCY | The experiment waits for a slot of its set. | no node yet |
| SEARCH | The search has not chosen its parameters yet, or failed to. | no node yet |
| BUILD | It waits for its image, or the image could not be built. | the node `build` |
| LOCK | It waits for a mutex or semaphore. | `Waiting for … lock` |
| PARALLELISM | Argo runs no more Workflows or pods at a time. | `too many workflows`, `Max parallelism` |
| QUEUED | It waits for its turn in a queue of the cluster. | Kueue's Workload |
| GATED | Something holds its pod back with scheduling gates. | `SchedulingGated` |
| WEBHOOK | A webhook that checks pods does not answer. | `failed calling webhook` |
| QUOTA | It waits for the quota of its namespace. | `exceeded quota` |
| UNSCHEDULABLE | It waits for free resources on a node, or on this machine. | `Unschedulable: …`, `waiting: …` |
| LAUNCH | This machine cannot start its processes now. | `NotLaunched: …` |
| RELEASED | Its gang gave its resources back, since not all of it had room, and starts again. | exit code 175 |
| RETRY | It waits between two attempts. | the Retry node |
| PREPARE | Its image, volumes and code are being prepared. | `ContainerCreating`, `PodInitializing` |
| IMAGE | Its image cannot be pulled. | `ErrImagePull`, `ImagePullBackOff` |
| CONFIG | A Secret, claim or setting that it needs does not exist. | `CreateContainerConfigError`, `FailedMount` |
| SUSPENDED | Somebody has suspended the run with Argo. | `spec.suspend` |
| CONTROLLER | Argo's controller does not process it. | no status for long, or only the pod has ended |
| STOPPING | It is ending, and may be saving a checkpoint. | a final phase without its time |
| HELD | It has failed, and is kept until it is released or its time is over. | the file `held.<job>` |
| COMPLETED | It ended with exit code 0. | |
| EARLY | Its search stopped it, since others were better. | the output `early` |
| ERROR | It ended with another exit code. | `main: Error (exit code 3)` |
| COMMAND | Its command does not exist or is not executable. | exit codes 126 and 127, `StartError` |
| OOM | It used more memory than it may. | `OOMKilled` |
| TIMEOUT | It ran longer than its `timeout`. | `active on the node longer than …` |
| IDLE | It was stopped because it did not use its GPUs for its `idle_timeout`. | the output `idle` |
| UNSCHEDULED | No node had room for it in time. | `timeout`, from Argo's pendingTimeout |
| GANG | It waits for the other jobs of its experiment, or did so in vain. | nodes, the output `missing` |
| CHECKOUT | Its code could not be fetched, or the files of its build. | `checkout: …`, `context: …` |
| SIDECAR | It ended because a sidecar failed. | `<name>: … (exit code 1)` |
| EVICTED, PREEMPTED, NODE_LOST | It was removed from its node, or the node was lost. | the message of the pod |
| REJECTED | Its node refused it, although the scheduler had chosen it. | `Pod was rejected: …` |
| DELETED | Someone deleted its pod. | `pod deleted` |
| PLATFORM | It failed for another reason that is not its own. | phase Error |
| KILLED | The user killed it. | the annotation, `spec.shutdown` |
| LOST | Its Workflow was deleted before its end was recorded. | the archive |
| PEER | It was ended because another job of its experiment failed. | the guilty job |
| STOPPED | It is a daemon that ended with its experiment. | |
"""

import re
from collections.abc import Iterable

# What `released.py` writes before the jobs that did not come.
RELEASED = "Released: "
# The first pattern that matches decides, so the more specific ones come first.
WAITING = (
    ("RELEASED", re.compile(f"^{RELEASED}")),
    # Argo puts what it says before the kubelet's text.
    ("RETRY", re.compile(r"^Pod auto-restarting due to ")),
    ("LOCK", re.compile(r"Waiting (?:for|to acquire) .* lock")),
    (
        "PARALLELISM",
        re.compile(r"too many workflows are already running|Max parallelism reached"),
    ),
    ("GATED", re.compile(r"SchedulingGated")),
    ("WEBHOOK", re.compile(r"failed calling webhook")),
    ("QUOTA", re.compile(r"exceeded quota")),
    ("UNSCHEDULABLE", re.compile(r"Unschedulable|^waiting: ")),
    ("LAUNCH", re.compile(r"^NotLaunched: ")),
    (
        "IMAGE",
        re.compile(
            r"ErrImagePull|ImagePullBackOff|InvalidImageName|ErrImageNeverPull|RegistryUnavailable"
        ),
    ),
    ("CONFIG", re.compile(r"CreateContainerConfigError|FailedMount")),
    (
        "PREPARE",
        re.compile(
            r"ContainerCreating|PodInitializing|Init:|CreateContainerError|RunContainerError"
        ),
    ),
)
_STARTING = frozenset({"IMAGE", "CONFIG", "PREPARE"})

# docs/cluster/failures.md lists the messages of the kubelet.
_ENDED = (
    ("REJECTED", re.compile(r"^Pod was rejected: ")),
    # The kubelet makes up exit code 137 for a container that it cannot find.
    (
        "NODE_LOST",
        re.compile(
            r"ContainerStatusUnknown|container could not be located"
            r"|neither main nor wait container completed"
        ),
    ),
    ("OOM", re.compile(r"OOMKilled")),
    ("UNSCHEDULED", re.compile(r"^timeout$")),
    (
        "TIMEOUT",
        re.compile(
            r"active on the node longer than|exceeded its deadline|exceeded workflow deadline"
        ),
    ),
    (
        "NODE_LOST",
        re.compile(
            r"machine restarted|NodeLost|node lost|unresponsive|not ready|was lost",
            re.IGNORECASE,
        ),
    ),
    ("PREEMPTED", re.compile(r"[Pp]reempt|imminent node shutdown")),
    (
        "EVICTED",
        re.compile(
            r"[Ee]vict|low on resource|Usage of .* exceeds"
            r"|ephemeral local storage usage exceeds|exceeded its local ephemeral storage limit"
        ),
    ),
    ("DELETED", re.compile(r"pod deleted")),
    (
        "IMAGE",
        re.compile(r"ErrImagePull|ImagePullBackOff|InvalidImageName|ErrImageNeverPull"),
    ),
    ("CHECKOUT", re.compile(r"^(?:checkout|context): ")),
    (
        "COMMAND",
        re.compile(
            r"StartError|ContainerCannotRun|executable file not found|failed to find name in PATH"
        ),
    ),
    ("QUOTA", re.compile(r"exceeded quota")),
)
POD_DELETED = "pod deleted"
"""Argo's message of a job whose pod is gone, and of one whose pod it has made again."""

DELETED_EXTERNALLY = "pod deleted externally"
STARTED_ANEW = "started anew after its pod was deleted"

_EXIT_CODE = re.compile(r"(?:main: )?\w+ \(exit code (\d{1,9})\)")
_MAIN = re.compile(
    r"^main: (?:Error|Completed|Unknown|ContainerStatusUnknown) \(exit code \d+\)(?:: )?"
)
_SIDECAR = re.compile(r"^(?!main: |wait: |init: )[\w-]+: .*\(exit code \d+\)")
_COMMAND = frozenset({126, 127})
_MEANINGS = {
    126: "command not executable",
    127: "command not found",
    130: "interrupted",
    134: "aborted",
    137: "SIGKILL, often for want of memory",
    139: "segmentation fault",
    143: "terminated",
}

SIGNALLED = frozenset({130, 137, 143})
"""Exit codes of a job that was ended from outside: SIGINT, SIGKILL and SIGTERM."""


def from_outside(word: str, code: int | None) -> bool:
    """Return whether a failed job seems to have been ended: by a signal, or with its pod."""
    return word == "DELETED" or (word == "ERROR" and code in SIGNALLED)


def waiting(message: str) -> tuple[str, bool]:
    """Return the word for why a pending node waits, and whether it is starting already."""
    word = _first_match(WAITING, message)
    return word, word in _STARTING


def exit_code(message: str) -> int | None:
    """Return the exit code of the job in a message, None if it has none or a sidecar's."""
    match = _EXIT_CODE.match(message)
    return int(match[1]) if match else None


def failure(phase: str, message: str, code: int | None) -> tuple[str, str]:
    """Return the word and the sentence for a node that has failed."""
    sentence = _MAIN.sub("", message).strip()
    if sentence == POD_DELETED:
        sentence = DELETED_EXTERNALLY
    if not sentence and code is not None:
        sentence = f"exit code {code}"
        meaning = _MEANINGS.get(code)
        if meaning:
            sentence = f"{sentence} ({meaning})"
    return _failure_word(phase, message, code), sentence


def _failure_word(phase: str, message: str, code: int | None) -> str:
    word = _first_match(_ENDED, message)
    if word:
        return word
    if code in _COMMAND:
        return "COMMAND"
    if _SIDECAR.match(message):
        return "SIDECAR"
    # Phase Error, or a failure without an exit code, is not the program's own.
    return "ERROR" if phase == "Failed" and code else "PLATFORM"


def _first_match(patterns: Iterable[tuple[str, re.Pattern[str]]], message: str) -> str:
    """Return the word of the first pattern that occurs in a message, empty if none does."""
    for word, pattern in patterns:
        if pattern.search(message):
            return word
    return ""
