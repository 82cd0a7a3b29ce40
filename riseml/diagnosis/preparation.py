"""Explanations for jobs whose pods lack something: an image, a secret, a volume."""

import re
from collections.abc import Mapping

from riseml import events
from riseml.diagnosis.evidence import (
    Cause,
    Evidence,
    Explain,
    Subject,
    cause,
    waiting_containers,
)
from riseml.excerpts import listed

_MISSING_SECRET = re.compile(r'secret "(?P<name>[^"]+)" not found')
_MISSING_KEY = re.compile(r"couldn't find key (?P<key>\S+) in Secret")
_CLAIM = re.compile(
    r'persistentvolumeclaim "(?P<name>[^"]+)" (?P<problem>not found|is being deleted)'
)
_UNBOUND = "unbound immediate PersistentVolumeClaims"
_MOUNT = re.compile(r"FailedMount|FailedAttachVolume|MountVolume")
_NO_IMAGE = re.compile(
    r"not found|manifest unknown|NotFound|InvalidImageName|couldn't parse image",
    re.IGNORECASE,
)
_NO_ACCESS = re.compile(
    r"unauthorized|denied|authentication required|no basic auth|401|403", re.IGNORECASE
)
_PULL_LIMIT = re.compile(
    r"\b429\b|too many requests|toomanyrequests|pull rate limit", re.IGNORECASE
)
# These texts prove that the image is at fault, even next to one about access.
_IMAGE_AT_FAULT = re.compile(r"manifest unknown|InvalidImageName")
_NO_REGISTRY = re.compile(
    r"no such host|connection refused|i/o timeout|server gave HTTP response|deadline exceeded|x509",
    re.IGNORECASE,
)


def image(evidence: Evidence, subject: Subject) -> Cause:
    """Explain IMAGE: the image cannot be pulled."""
    lines = _pod_lines(evidence, subject)
    text, name = " ".join(lines), evidence.run.image
    # A registry says this also where it would need a login.
    if _PULL_LIMIT.search(text):
        return cause(
            subject,
            f"the registry of the image {name} limits how many images may be pulled, and refuses more for now",
            lines,
            "Kubernetes keeps retrying; the limit of Docker Hub counts for some hours.",
            "A login has a higher limit: an administrator names a pull secret under `imagePullSecrets` in values.yml."
            " Or copy the image to a registry of your own.",
        )
    if _NO_ACCESS.search(text) and not _IMAGE_AT_FAULT.search(text):
        return cause(
            subject,
            f"the registry refuses access to the image {name}: it does not exist, or requires a login",
            lines,
            "Check the name under `image` in riseml.yml.",
            "For a private registry, an administrator names a pull secret under `imagePullSecrets` in values.yml.",
        )
    # Network errors may contain the texts of `_NO_IMAGE`, too, so they come first.
    if _NO_REGISTRY.search(text):
        return cause(
            subject,
            f"the node cannot reach the registry of the image {name}",
            lines,
            "Kubernetes keeps retrying; `riseml doctor` checks whether the cluster's own registry answers.",
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
        f"the image {name} has not been pulled yet",
        lines,
        "Kubernetes keeps retrying.",
    )


def config(evidence: Evidence, subject: Subject) -> Cause:
    """Explain CONFIG: a Secret, a claim or a volume is missing."""
    lines = _pod_lines(evidence, subject)
    text = " ".join(lines)
    missing = _find_missing_secret(evidence, subject, lines)
    if missing is None:
        missing = find_claim_problem(evidence, subject, text)
    if missing is not None:
        return missing
    if _MOUNT.search(text):
        return cause(
            subject,
            "a volume cannot be mounted on its node",
            [*lines, *_claim_lines(evidence)],
            "Kubernetes keeps retrying, and the job starts once the volume is mounted.",
            "An administrator can check the storage.",
            "`riseml doctor` checks the claims.",
            kind="CLAIM",
        )
    return cause(
        subject,
        "something that the job needs is missing",
        lines,
        "`riseml doctor` shows what the namespace lacks.",
    )


def prepare(evidence: Evidence, subject: Subject) -> Cause:
    """Explain PREPARE: the node fetches what the job needs."""
    return cause(
        subject,
        "its node is fetching its image, volumes and code; a large image can take minutes",
        [*evidence.warnings(subject.node), subject.message],
    )


def find_claim_problem(evidence: Evidence, subject: Subject, text: str) -> Cause | None:
    """Return the cause if a text of Kubernetes says that a claim is missing."""
    match = _CLAIM.search(text)
    if match is None:
        return _pending_claim(evidence, subject, text)
    problem = "does not exist" if match["problem"] == "not found" else match["problem"]
    return cause(
        subject,
        f"the claim {match['name']} {problem}",
        [text, *_claim_lines(evidence)],
        evidence.recreate_advice,
        kind="CLAIM",
    )


def _pending_claim(evidence: Evidence, subject: Subject, text: str) -> Cause | None:
    """Return the cause if the scheduler waits for the volume of a claim."""
    if _UNBOUND not in text:
        return None
    pending = _claim_lines(evidence)
    names = [line.partition(":")[0] for line in pending]
    explanation = f"{listed(names, 'a claim')} has no volume yet"
    return cause(
        subject,
        explanation,
        [text, *pending, *_claim_events(evidence)],
        "It starts by itself when the cluster has made the volume.",
        "If it never does, an administrator can look at the claim's storage class: `kubectl describe pvc`.",
        kind="CLAIM",
    )


def _claim_events(evidence: Evidence) -> list[str]:
    """Return the warnings about claims that have no volume."""
    pending = _unbound_claims(evidence)
    lines = []
    for event in evidence.events:
        involved = event.get("involvedObject", {})
        is_about_claim = involved.get("kind") == "PersistentVolumeClaim"
        if is_about_claim and involved.get("name") in pending:
            lines.append(events.line_of(event))
    return list(dict.fromkeys(lines))


def _find_missing_secret(
    evidence: Evidence, subject: Subject, lines: list[str]
) -> Cause | None:
    text = " ".join(lines)
    key = _MISSING_KEY.search(text)
    if key is not None:
        return cause(
            subject,
            f"the secret {key['key']} is not set",
            lines,
            f"Set it with `riseml secret set {key['key']}`; the job then starts by itself.",
            kind="SECRET",
        )
    secret = _MISSING_SECRET.search(text)
    if secret is not None:
        return cause(
            subject,
            f"the namespace has no Secret {secret['name']}",
            lines,
            evidence.recreate_advice,
            kind="SECRET",
        )
    return None


def _pod_lines(evidence: Evidence, subject: Subject) -> list[str]:
    """Return what Kubernetes says about a subject's pod, the most specific first."""
    return [
        *waiting_containers(evidence.pod_of(subject.node)),
        *evidence.warnings(subject.node),
        subject.message,
    ]


def _claim_lines(evidence: Evidence) -> list[str]:
    lines = []
    for name, phase in _unbound_claims(evidence).items():
        lines.append(f"claim {name}: {phase}")
    return lines


def _unbound_claims(evidence: Evidence) -> dict[str, str]:
    """Return the phases of the claims that have no volume, by their names."""
    phases = {}
    for claim in evidence.claims:
        phase = claim.get("status", {}).get("phase", "")
        if phase != "Bound":
            phases[claim["metadata"]["name"]] = phase
    return phases


EXPLANATIONS: Mapping[str, Explain] = {
    "IMAGE": image,
    "CONFIG": config,
    "PREPARE": prepare,
}
