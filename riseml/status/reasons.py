"""Why a job waits, or has ended: one word, and a sentence where there is more to say.

| word | of a job that | read from |
|---|---|---|
| CONCURRENCY | waits for a slot of its set | no node yet |
| BUILD | waits for its image, or was never started because that could not be built | the node `build` |
| LOCK | waits for a mutex or semaphore | `Waiting for … lock` |
| QUOTA | waits for its namespace's quota | `exceeded quota` |
| UNSCHEDULABLE | waits for a node, or the machine, with room | `Unschedulable: …` |
| RETRY | waits between two attempts | the Retry node |
| PREPARE | is given its image, volumes and code | `ContainerCreating`, `PodInitializing` |
| IMAGE | waits for, or failed for want of, an image that cannot be pulled | `ErrImagePull`, `ImagePullBackOff` |
| CONFIG | needs a Secret, claim or setting that is not there | `CreateContainerConfigError`, `FailedMount` |
| CONTROLLER | waits for Argo's controller, which does not see it | no status for long, or only the pod has ended |
| STOPPING | was told to end and has not yet: it may be saving a checkpoint | a final phase without its time |
| COMPLETED | ended with exit code 0 | |
| ERROR | ended with another exit code | `main: Error (exit code 3)` |
| COMMAND | named a command that is not there, or not executable | exit codes 126 and 127, `StartError` |
| OOM | needed more memory than it may use | `OOMKilled` |
| TIMEOUT | ran longer than its `timeout` | `active on the node longer than …` |
| UNSCHEDULED | found no place in the time that it was given | `timeout`, of Argo's pendingTimeout |
| GANG | waited in vain for the other jobs of its experiment | the output `missing` |
| CHECKOUT | did not get its code, or a build its files | `checkout: …`, `context: …` |
| SIDECAR | ended because a sidecar failed | `<name>: … (exit code 1)` |
| EVICTED, PREEMPTED, NODE_LOST | was taken off its node; its node, or the machine, went away | the pod's message |
| DELETED | lost its pod to somebody else | `pod deleted` |
| PLATFORM | failed for anything else that is not its own doing | phase Error |
| KILLED | was killed by the user | the annotation, `spec.shutdown` |
| PEER | was ended because another job of its experiment had failed | the guilty job |
| STOPPED | is a daemon that ended with its experiment | |
"""

import re

STOPPING = "STOPPING"
CONTROLLER = "CONTROLLER"

WAITING = (
    ("LOCK", re.compile(r"Waiting for .* lock")),
    ("QUOTA", re.compile(r"exceeded quota")),
    ("UNSCHEDULABLE", re.compile(r"Unschedulable")),
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
_COMMAND = {126: "command not executable", 127: "command not found"}
_SIGNALS = {
    130: "interrupted",
    134: "aborted",
    137: "SIGKILL, often for want of memory",
    139: "segmentation fault",
    143: "terminated",
}

SIGNALLED = frozenset({130, 137, 143})
"""Exit codes of a job that was ended from outside."""


def from_outside(word: str, code: int | None) -> bool:
    """Tell whether what failed looks as if somebody had ended it: by a signal, or by deleting its pod."""
    return word == "DELETED" or (word == "ERROR" and code in SIGNALLED)


def waiting(message: str) -> tuple[str, bool]:
    """Return the word for why a pending node waits, and whether it is starting already."""
    word = next((word for word, pattern in WAITING if pattern.search(message)), "")
    return word, word in _STARTING


def exit_code(message: str) -> int | None:
    """Return the job's exit code where a message tells it, not one of a container beside it."""
    found = _EXIT_CODE.match(message)
    return int(found[1]) if found else None


def failure(phase: str, message: str, code: int | None) -> tuple[str, str]:
    """Return the word and the sentence for a node that has failed."""
    word = next((word for word, pattern in _ENDED if pattern.search(message)), "")
    if not word and code in _COMMAND:
        word = "COMMAND"
    if not word and _SIDECAR.match(message):
        word = "SIDECAR"
    if not word:
        word = "ERROR" if phase == "Failed" and code else "PLATFORM"
    said = _MAIN.sub("", message).strip()
    if said or code is None:
        return word, said
    meaning = _COMMAND.get(code) or _SIGNALS.get(code)
    return word, f"exit code {code}" + (f" ({meaning})" if meaning else "")
