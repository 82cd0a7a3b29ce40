"""Explanations for ports that another process uses already."""

import re
from collections.abc import Sequence

from riseml.diagnosis import log_errors
from riseml.diagnosis.evidence import LOG_LINES, Cause, Evidence, Holder, Subject, cause

_EXAMPLE_PORT = 29500
_CHOOSE = (
    "Let the program listen at port 0, which is any free one, or at a port of the experiment's own:"
    " `$(({port} + ${{EXPERIMENT_ID##*.}}))`."
)
_ONE_AT_A_TIME = (
    "Or run one experiment at a time: `concurrency: 1` under `train` in riseml.yml."
)
_ISOLATE = "Or give each experiment a network of its own: `isolate_network: true` under `train` in riseml.yml."
_COMPLAINT = re.compile(
    r"address already in use|EADDRINUSE|errno:? ?(?:98|48)\b"
    r"|port \d+ is (?:already )?in use|port \d+, (?:it )?was already in use"
    r"|failed to listen on any local network address|failed to bind to address"
    r"|failed to add (?:http )?port|could not bind to port|port is already allocated",
    re.IGNORECASE,
)
# `port: 29500`, `port 6006`; `('127.0.0.1', 8000)`; `[::]:50051`, `:::3000`. The first
# pattern that finds something decides.
_PORTS = (
    re.compile(r"\bport[:=]? ?['\"]?(\d{2,5})\b", re.IGNORECASE),
    re.compile(r"['\"], (\d{2,5})[,)]"),
    re.compile(r"(?:[\d\]*:]|localhost):(\d{3,5})\b"),
)


def complaints(lines: Sequence[str]) -> list[str]:
    """Return the lines that complain about a used port, the last one first."""
    return list(log_errors.matching(lines, _COMPLAINT))


def used_port(lines: Sequence[str]) -> int:
    """Return the port that lines of a log complain about, 0 if they do not name it."""
    text = "\n".join(complaints(lines))
    for pattern in _PORTS:
        match = pattern.search(text)
        if match:
            return int(match[1])
    return 0


def port_conflict(evidence: Evidence, subject: Subject) -> Cause | None:
    """Explain a program that could not listen, None if the log does not say so."""
    lines = evidence.log(subject.job)
    if not complaints(lines):
        return None
    port = used_port(lines)
    quoted = lines[-LOG_LINES:]
    if evidence.has_cluster:
        return cause(
            subject,
            f"{_named(port)} was in use by another process of the same pod",
            quoted,
            "Each pod has its own network. Let each process of the job listen at another port,"
            " or at port 0, which is any free one.",
            kind="PORT",
        )
    holder = evidence.surroundings.holders.get(subject.job) or Holder(port)
    port = port or holder.port
    experiment = subject.experiment.id if subject.experiment else ""
    explanation = f"{_named(port)} was in use by {_owner(holder, experiment)}"
    advice = [_CHOOSE.format(port=port or _EXAMPLE_PORT)]
    if holder.experiment not in ("", experiment):
        advice += _apart(holder.experiment, experiment)
    return cause(subject, explanation, quoted, *advice, kind="PORT")


def _owner(holder: Holder, experiment: str) -> str:
    if holder.experiment and holder.experiment == experiment:
        return "another process of the same experiment"
    if holder.experiment:
        return f"experiment {holder.experiment}, which ran on the same machine"
    return f"another program on this machine: {holder.command}".removesuffix(": ")


def _apart(other: str, experiment: str) -> list[str]:
    """Return what keeps an experiment from using the port of another one."""
    if other.partition(".")[0] == experiment.partition(".")[0]:
        return [_ONE_AT_A_TIME, _ISOLATE]
    return [_ISOLATE]


def _named(port: int) -> str:
    return f"port {port}" if port else "its port"
