"""Why a job has not begun, or an experiment has none yet."""

import re
from collections.abc import Callable, Iterator, Mapping

from riseml.diagnosis.evidence import (
    Cause,
    Evidence,
    Object,
    Subject,
    cause,
    simply,
    waiting_containers,
)
from riseml.plan import Resources
from riseml.quantities import amount_of
from riseml.status import State

# Experiments that are named at most
_NAMED = 5
_QUOTA = re.compile(
    r"exceeded quota: (?P<name>[\w.-]+), requested: (?P<asked>.*?), used: (?P<used>.*?), limited: (?P<hard>.*)"
)
_TALLY = re.compile(
    r"\d+/\d+ nodes are available: (?P<items>.*?)(?:\. (?:preemption|no new claims)|\.?$)"
)
_ITEM = re.compile(r"(?P<count>\d+) (?P<what>.*)")
_SECRET = re.compile(r'secret "(?P<name>[^"]+)" not found')
_KEY = re.compile(r"couldn't find key (?P<key>\S+) in Secret")
_CLAIM = re.compile(
    r'persistentvolumeclaim "(?P<name>[^"]+)" (?P<what>not found|is being deleted)'
)
_NO_IMAGE = re.compile(
    r"not found|manifest unknown|NotFound|InvalidImageName|couldn't parse image",
    re.IGNORECASE,
)
_NO_ACCESS = re.compile(
    r"unauthorized|denied|authentication required|no basic auth|401|403", re.IGNORECASE
)
_NO_REGISTRY = re.compile(
    r"no such host|connection refused|i/o timeout|server gave HTTP response|deadline exceeded|x509",
    re.IGNORECASE,
)
# The first that fits
_NODES = {
    "volume": "that cannot reach a volume of the namespace",
    "affinity": "not among those that the cluster's settings choose",
    "selector": "not among those that the cluster's settings choose",
    "unschedulable": "closed by an administrator",
}
_INSUFFICIENT = {
    "cpu": "cpus",
    "memory": "mem",
    "ephemeral-storage": "disk space",
    "pods": "places for pods",
}


_FREE = "It begins by itself when others of your runs have ended; `riseml status` lists them."


def _raised(evidence: Evidence) -> str:
    return f"An administrator changes the quota: `riseml user update --username {evidence.run.user} --gpus N`."


def quota(evidence: Evidence, subject: Subject) -> Cause:
    """The namespace's quota has no room."""
    found = _QUOTA.search(subject.message)
    if found is None:
        return cause(
            subject, "it waits for room in the quota", [subject.message], _FREE
        )
    asked, used, hard = (_amounts(found[name]) for name in ("asked", "used", "hard"))
    short = ", ".join(
        f"{_plain(name)} ({used.get(name, '?')} of {hard.get(name, '?')} in use)"
        for name in asked
    )
    need = ", ".join(_counted(amount, _plain(name)) for name, amount in asked.items())
    over = [
        name for name, amount in asked.items() if _exceeds(amount, hard.get(name, ""))
    ]
    if over:
        what = f"it asks for {need}, and the quota allows no more than {', '.join(hard[name] for name in over)} at all"
        return cause(
            subject,
            what,
            [subject.message],
            "Ask for less under `resources` in riseml.yml.",
            _raised(evidence),
        )
    return cause(
        subject,
        f"it needs {need}, and the quota is used up: {short}",
        [subject.message],
        _FREE,
        _raised(evidence),
    )


def unschedulable(evidence: Evidence, subject: Subject) -> Cause:
    """No node, or not the machine, has room."""
    text = subject.message.removeprefix("Unschedulable: ")
    if evidence.is_local:
        asked = _asked(subject.resources)
        return cause(
            subject,
            f"this machine has no room for {asked} now"
            if asked
            else "this machine has no room now",
            [text],
            "It begins by itself when other jobs have ended; `riseml status` lists them.",
        )
    if claim := _CLAIM.search(text):
        return _no_claim(evidence, subject, claim["name"], claim["what"], text)
    tally = _TALLY.search(text)
    items = [_node_words(item) for item in tally["items"].split(", ")] if tally else []
    what = f"no node takes it: {'; '.join(items)}" if items else "no node takes it"
    more = [
        each for each in evidence.warnings(subject.node) if text not in each
    ]  # the scheduler says it twice
    return cause(subject, what, [text, *more], *_room(subject, text))


def _node_words(item: str) -> str:
    found = _ITEM.fullmatch(item.strip())
    if found is None:
        return item.strip()
    what, nodes = (
        found["what"],
        f"{found['count']} node{'' if found['count'] == '1' else 's'}",
    )
    if what.startswith("Insufficient "):
        name = what.removeprefix("Insufficient ")
        return f"{nodes} without enough free {_INSUFFICIENT.get(name, 'gpus' if 'gpu' in name else name)}"
    if "untolerated taint" in what:
        taint = what.partition("taint")[2].removeprefix("(s)").strip(" {}")
        return f"{nodes} kept for others" + (f" (taint {taint})" if taint else "")
    known = next((words for text, words in _NODES.items() if text in what), None)
    return f"{nodes} {known}" if known else f"{nodes}: {what.removeprefix('node(s) ')}"


def _room(subject: Subject, text: str) -> Iterator[str]:
    asked = _asked(subject.resources)
    if "Insufficient" in text:
        yield f"It asks for {asked} on one node: if none is that large it never begins; ask for less under `resources`."
        yield "Else it begins by itself when others have ended; `riseml system info` tells administrators what is free."
    if "taint" in text or "affinity" in text or "selector" in text:
        yield "An administrator settles nodes and tolerations in values.yml: `riseml system upgrade -f values.yml`."


def image(evidence: Evidence, subject: Subject) -> Cause:
    """The image does not come."""
    lines = [
        *waiting_containers(evidence.pod_of(subject.node)),
        *evidence.warnings(subject.node),
        subject.message,
    ]
    text, name = " ".join(lines), evidence.run.image
    if _NO_ACCESS.search(text) and not re.search(
        r"manifest unknown|InvalidImageName", text
    ):
        return cause(
            subject,
            f"the registry does not give out the image {name}: it does not exist, or needs a login",
            lines,
            "Look at the name under `image` in riseml.yml.",
            "For a private registry an administrator names a pull secret as `imagePullSecrets` in values.yml.",
        )
    if _NO_REGISTRY.search(text):
        return cause(
            subject,
            f"the node cannot reach the registry of the image {name}",
            lines,
            "It is tried again and again; `riseml doctor` looks whether the cluster's own registry answers.",
        )
    if _NO_IMAGE.search(text):
        return cause(
            subject,
            f"there is no image {name}",
            lines,
            "Correct `image` in riseml.yml, kill this run, and train again.",
        )
    return cause(
        subject,
        f"the image {name} has not come yet",
        lines,
        "It is tried again and again.",
    )


def config(evidence: Evidence, subject: Subject) -> Cause:
    """A Secret, a claim or a volume is missing."""
    lines = [
        *waiting_containers(evidence.pod_of(subject.node)),
        *evidence.warnings(subject.node),
        subject.message,
    ]
    text = " ".join(lines)
    if key := _KEY.search(text):
        command = (
            f"`riseml secret set {key['key']}` sets it; the job begins by itself then."
        )
        return cause(
            subject,
            f"the secret {key['key']} is not set",
            lines,
            command,
            kind="SECRET",
        )
    if secret := _SECRET.search(text):
        what = f"the namespace has no Secret {secret['name']}"
        return cause(subject, what, lines, evidence.anew, kind="SECRET")
    if claim := _CLAIM.search(text):
        return _no_claim(evidence, subject, claim["name"], claim["what"], text)
    if "FailedMount" in text or "FailedAttachVolume" in text or "MountVolume" in text:
        return cause(
            subject,
            "a volume cannot be mounted on its node",
            [*lines, *_claims(evidence)],
            "It is tried again and again, and the job begins when it works; the storage is the administrator's.",
            "`riseml doctor` looks at the claims.",
            kind="CLAIM",
        )
    return cause(
        subject,
        "something that the job needs is not there",
        lines,
        "`riseml doctor` looks for it.",
    )


def _no_claim(
    evidence: Evidence, subject: Subject, name: str, what: str, text: str
) -> Cause:
    told = "is being deleted" if "deleted" in what else "is not there"
    return cause(
        subject,
        f"the claim {name} {told}",
        [text, *_claims(evidence)],
        evidence.anew,
        kind="CLAIM",
    )


def _claims(evidence: Evidence) -> list[str]:
    """Return what claims that are not bound say."""
    phases = [
        (each["metadata"]["name"], each.get("status", {}).get("phase", ""))
        for each in evidence.claims
    ]
    return [f"claim {name}: {phase}" for name, phase in phases if phase != "Bound"]


def prepare(evidence: Evidence, subject: Subject) -> Cause:
    """It is about to begin."""
    lines = evidence.warnings(subject.node)
    return cause(
        subject,
        "its node fetches image, volumes and code; that may take minutes for a large image",
        [*lines, subject.message],
    )


def concurrency(evidence: Evidence, subject: Subject) -> Cause:
    """Others of its set have the slots."""
    running = [
        each.id
        for each in evidence.run.experiments
        if each.state is not State.CREATED and not each.state.is_terminal
    ]
    named = ", ".join(running[:_NAMED]) + (
        f" and {len(running) - _NAMED} more" if len(running) > _NAMED else ""
    )
    limit = evidence.run.concurrency or 1
    what = f"its set runs {limit} experiment{'' if limit == 1 else 's'} at a time" + (
        f", now {named}" if named else ""
    )
    return cause(
        subject,
        what,
        [subject.message],
        "It begins by itself. For more at a time: `concurrency` in riseml.yml, and a new run.",
    )


def lock(evidence: Evidence, subject: Subject) -> Cause:
    """Somebody else builds the same image, or has the lock."""
    holders = [
        holder for document in evidence.documents for holder in _holders(document)
    ]
    builds = "riseml-build" in subject.message or "build" in subject.id
    what = (
        "the same image is being built for another run"
        if builds
        else "it waits for a lock"
    )
    more = [f"held by {holder}" for holder in holders]
    return cause(
        subject,
        what,
        [subject.message, *more],
        "It goes on by itself when that has ended.",
    )


def _holders(document: Object) -> Iterator[str]:
    told = document.get("status", {}).get("synchronization", {}).get("mutex", {})
    yield from (
        str(each["holder"]) for each in told.get("waiting", ()) if each.get("holder")
    )


def build(evidence: Evidence, subject: Subject) -> Cause:
    """Its image is being built."""
    job = next((each for each in evidence.run.jobs if each.type == "build"), None)
    name = job.id if job else "build"
    since = f" ({job.state}{f', {job.reason}' if job.reason else ''})" if job else ""
    return cause(
        subject,
        f"its image is being built by {name}{since}",
        [job.message] if job else [],
        f"`riseml logs {name}` shows how far.",
    )


def retry(evidence: Evidence, subject: Subject) -> Cause:
    """Between two attempts."""
    return cause(
        subject,
        "its last attempt has failed, and the next one is about to begin",
        [subject.message, *evidence.log(subject.job)],
    )


def node_lost(evidence: Evidence, subject: Subject) -> Cause:
    """The node does not answer."""
    if evidence.is_local:
        return cause(
            subject, "the machine was restarted while it ran", [subject.message], _AGAIN
        )
    going = not subject.state.is_terminal
    now = (
        "If the node comes back, the job goes on; `riseml kill --force` gives it up."
        if going
        else _AGAIN
    )
    return cause(
        subject,
        "its node does not answer" if going else "its node went away",
        [subject.message],
        now,
    )


_AGAIN = "`retries: {count: 2, on: [node-lost, preempted]}` in riseml.yml starts such experiments again."


def goes_on(evidence: Evidence, subject: Subject) -> Cause:
    """Nothing holds it up."""
    if subject.state is State.RUNNING:
        progress = subject.experiment.progress if subject.experiment else None
        far = f", {progress[0]} of {progress[1]} done" if progress else ""
        return cause(
            subject,
            f"it runs{far}; nothing holds it up",
            [subject.message, *evidence.log(subject.job)[-3:]],
        )
    return cause(subject, "it is about to begin", [subject.message])


def _amounts(text: str) -> dict[str, str]:
    return dict(pair.partition("=")[::2] for pair in text.split(",") if "=" in pair)


def _exceeds(amount: str, hard: str) -> bool:
    asked, most = amount_of(amount), amount_of(hard)
    return asked is not None and most is not None and asked > most


def _counted(amount: str, noun: str) -> str:
    return f"{amount} {noun.removesuffix('s') if amount == '1' else noun}"


def _plain(name: str) -> str:
    short = name.removeprefix("requests.").removeprefix("limits.")
    return {"cpu": "cpus", "memory": "mem", "count/pods": "pods"}.get(
        short, "gpus" if "gpu" in short else short
    )


def _asked(resources: Resources | None) -> str:
    if resources is None:
        return ""
    parts = [f"{resources.cpus:f} cpus", f"{resources.mem // 1_000_000} MB"]
    return ", ".join([*parts, *([f"{resources.gpus} gpus"] if resources.gpus else [])])


WORDS: Mapping[str, Callable[[Evidence, Subject], Cause]] = {
    "QUOTA": quota,
    "UNSCHEDULABLE": unschedulable,
    "IMAGE": image,
    "CONFIG": config,
    "PREPARE": prepare,
    "CONCURRENCY": concurrency,
    "LOCK": lock,
    "BUILD": build,
    "CONTROLLER": simply(
        "no Argo controller looks after it",
        "Nothing is lost: it goes on when a controller is there that watches this namespace, and this instance id.",
        "`riseml doctor` looks for it; an administrator looks at the Deployment workflow-controller.",
    ),
    "RETRY": retry,
    "STOPPING": simply(
        "it was told to end, and has not yet: it may be saving a checkpoint",
        "After 30 seconds it is ended; `riseml kill --force` clears what does not answer.",
    ),
    "NODE_LOST": node_lost,
}
