"""Explanations for ports that another process uses already."""

import re
from collections.abc import Iterator, Sequence

from riseml.diagnosis import log_errors
from riseml.diagnosis.evidence import Cause, Evidence, Holder, Subject, cause

_LOG_LINES = 6
# A longer list of experiments hides the sentence around it.
_MAX_NAMED = 5
_COMPLAINT = re.compile(
    r"address already in use|EADDRINUSE|errno:? ?(?:98|48)\b"
    r"|port \d+ is (?:already )?in use|port \d+, (?:it )?was already in use"
    r"|failed to listen on any local network address|failed to bind to address"
    r"|failed to add (?:http )?port|could not bind to port|port is already allocated",
    re.IGNORECASE,
)
# `port: 29500`, `port 6006`; `('127.0.0.1', 8000)`; `[::]:50051`, `:::3000`. The first
# pattern that finds something decides, since the last one also finds a line of a file.
_PORTS = (
    re.compile(r"\bport[:=]? ?['\"]?(\d{2,5})\b", re.IGNORECASE),
    re.compile(r"['\"], (\d{2,5})[,)]"),
    re.compile(r"[\w\]*:]:(\d{2,5})\b"),
)


def complaints(lines: Sequence[str]) -> list[str]:
    """Return the lines that complain about a used port, the last one first."""
    return list(log_errors.matching(lines, _COMPLAINT))


def used_port(lines: Sequence[str]) -> int | None:
    """Return the port that lines of a log complain about, None if they do not name it."""
    for line in complaints(lines):
        for pattern in _PORTS:
            ports = pattern.findall(line)
            if ports:
                return int(ports[-1])
    return None


def port_conflict(evidence: Evidence, subject: Subject) -> Cause | None:
    """Explain a program that could not listen, None if the log does not say so."""
    lines = evidence.log(subject.job)
    if not complaints(lines):
        return None
    port = used_port(lines)
    quoted = lines[-_LOG_LINES:]
    if evidence.has_cluster:
        return cause(
            subject,
            f"{_named(port)} was in use by another process of the same pod",
            quoted,
            "Each pod has its own network. Let each process of the job listen at another port,"
            " or at port 0, which is any free one.",
            kind="PORT",
        )
    holder = evidence.surroundings.holders.get(subject.job)
    if holder is not None and port is None:
        port = holder.port
    own = subject.experiment.id if subject.experiment else ""
    neighbors = [name for name in evidence.surroundings.neighbors if name != own]
    explanation = _explanation(_named(port), own, holder, neighbors)
    others = [holder.experiment] if holder and holder.experiment else neighbors
    advice = _advice(port, own, [name for name in others if name != own])
    return cause(subject, explanation, quoted, *advice, kind="PORT")


def _explanation(
    port: str, own: str, holder: Holder | None, neighbors: Sequence[str]
) -> str:
    if holder is not None and holder.experiment == own:
        return f"{port} was in use by another process of the same experiment"
    if holder is not None and holder.experiment:
        return f"{port} was in use by experiment {holder.experiment}, which ran on the same machine"
    if holder is not None:
        command = f": {holder.command}" if holder.command else ""
        return f"{port} was in use by another program on this machine{command}"
    if neighbors:
        names = ", ".join(neighbors[:_MAX_NAMED])
        if len(neighbors) > _MAX_NAMED:
            names += f" and {len(neighbors) - _MAX_NAMED} more"
        return f"{port} was in use by another process on this machine, where {names} ran too"
    return f"{port} was in use by another process on this machine"


def _advice(port: int | None, own: str, others: Sequence[str]) -> Iterator[str]:
    first = port or 29500
    yield (
        "Let the program listen at port 0, which is any free one, or at a port of the experiment's own:"
        f" `$(({first} + ${{EXPERIMENT_ID##*.}}))`."
    )
    if not others:
        return
    run = own.partition(".")[0]
    if all(other.partition(".")[0] == run for other in others):
        yield "Or run one experiment at a time: `concurrency: 1` under `train` in riseml.yml."
    yield "Or give each experiment a network of its own: `isolate_network: true` under `train` in riseml.yml."


def _named(port: int | None) -> str:
    return f"port {port}" if port else "its port"
