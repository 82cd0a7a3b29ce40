"""Explanations for jobs whose pods lack something: an image, a secret, a volume."""

import re
from collections.abc import Mapping

from riseml.diagnosis.evidence import (
    Cause,
    Evidence,
    Explain,
    Subject,
    cause,
    waiting_containers,
)

_MISSING_SECRET = re.compile(r'secret "(?P<name>[^"]+)" not found')
_MISSING_KEY = re.compile(r"couldn't find key (?P<key>\S+) in Secret")
_CLAIM = re.compile(
    r'persistentvolumeclaim "(?P<name>[^"]+)" (?P<problem>not found|is being deleted)'
)
_MOUNT = re.compile(r"FailedMount|FailedAttachVolume|MountVolume")
_NO_IMAGE = re.compile(
    r"not found|manifest unknown|NotFound|InvalidImageName|couldn't parse image",
    re.IGNORECASE,
)
_NO_ACCESS = re.compile(
    r"unauthorized|denied|authentication required|no basic auth|401|403", re.IGNORECASE
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
            [*lines, *_unbound_claims(evidence)],
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
        return None
    problem = "does not exist" if match["problem"] == "not found" else match["problem"]
    return cause(
        subject,
        f"the claim {match['name']} {problem}",
        [text, *_unbound_claims(evidence)],
        evidence.recreate_advice,
        kind="CLAIM",
    )


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


def _unbound_claims(evidence: Evidence) -> list[str]:
    lines = []
    for claim in evidence.claims:
        phase = claim.get("status", {}).get("phase", "")
        if phase != "Bound":
            lines.append(f"claim {claim['metadata']['name']}: {phase}")
    return lines


EXPLANATIONS: Mapping[str, Explain] = {
    "IMAGE": image,
    "CONFIG": config,
    "PREPARE": prepare,
}
