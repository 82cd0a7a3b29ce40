"""Reasons why a job waits or has ended: one word, and a sentence with the details.

| word | meaning | read from |
|---|---|---|
| CONCURRENCY | The experiment waits for a slot of its set. | no node yet |
| SEARCH | The search has not chosen its parameters yet, or failed to. | no node yet |
| BUILD | It waits for its image, or the image could not be built. | the node `build` |
| LOCK | It waits for a mutex or semaphore. | `Waiting for … lock` |
| QUOTA | It waits for the quota of its namespace. | `exceeded quota` |
| UNSCHEDULABLE | It waits for free resources on a node, or on this machine. | `Unschedulable: …`, `waiting: …` |
| LAUNCH | This machine cannot start its processes now. | `NotLaunched: …` |
| RETRY | It waits between two attempts. | the Retry node |
| PREPARE | Its image, volumes and code are being prepared. | `ContainerCreating`, `PodInitializing` |
| IMAGE | Its image cannot be pulled. | `ErrImagePull`, `ImagePullBackOff` |
| CONFIG | A Secret, claim or setting that it needs does not exist. | `CreateContainerConfigError`, `FailedMount` |
| CONTROLLER | Argo's controller does not process it. | no status for long, or only the pod has ended |
| STOPPING | It is ending, and may be saving a checkpoint. | a final phase without its time |
| COMPLETED | It ended with exit code 0. | |
| EARLY | Its search stopped it, since others were better. | the output `early` |
| ERROR | It ended with another exit code. | `main: Error (exit code 3)` |
| COMMAND | Its command does not exist or is not executable. | exit codes 126 and 127, `StartError` |
| OOM | It used more memory than it may. | `OOMKilled` |
| TIMEOUT | It ran longer than its `timeout`. | `active on the node longer than …` |
| UNSCHEDULED | No node had room for it in time. | `timeout`, from Argo's pendingTimeout |
| GANG | The other jobs of its experiment did not start in time. | the output `missing` |
| CHECKOUT | Its code could not be fetched, or the files of its build. | `checkout: …`, `context: …` |
| SIDECAR | It ended because a sidecar failed. | `<name>: … (exit code 1)` |
| EVICTED, PREEMPTED, NODE_LOST | It was removed from its node, or the node was lost. | the message of the pod |
| DELETED | Someone deleted its pod. | `pod deleted` |
| PLATFORM | It failed for another reason that is not its own. | phase Error |
| KILLED | The user killed it. | the annotation, `spec.shutdown` |
| PEER | It was ended because another job of its experiment failed. | the guilty job |
| STOPPED | It is a daemon that ended with its experiment. | |
"""

import re
from collections.abc import Iterable

STOPPING = "STOPPING"
EARLY = "EARLY"
CONTROLLER = "CONTROLLER"

# The first pattern that matches decides, so the more specific ones come first.
WAITING = (
    ("LOCK", re.compile(r"Waiting for .* lock")),
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

_ENDED = (
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
    ("EVICTED", re.compile(r"[Ee]vict|low on resource|Usage of .* exceeds")),
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
_EXIT_CODE = re.compile(r"(?:main: )?\w+ \(exit code (\d{1,9})\)")
_MAIN = re.compile(r"^main: (?:Error|Completed|Unknown) \(exit code \d+\)(?:: )?")
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
