"""Memory limits of jobs on a shared machine: explanations of what failed at one."""

from riseml.diagnosis.evidence import Cause, Evidence, MemoryLimit, Subject, cause

_BYTES_PER_MB = 1_000_000
_ADVICE = "Request more with `mem` under `resources` in riseml.yml, or use less (a smaller batch)."


def at_limit(evidence: Evidence, subject: Subject) -> Cause | None:
    """Return why a job failed that may use no more than it requests; None for another reason."""
    limit = evidence.surroundings.memory_limits.get(subject.job)
    if limit is None:
        return None
    lines = [*evidence.log_end(subject.job), subject.message]
    return cause(subject, _explanation(limit), lines, _ADVICE, kind="OOM")


def _explanation(limit: MemoryLimit) -> str:
    requested = _megabytes(limit.limit)
    if limit.is_group:
        used = _megabytes(limit.peak) if limit.peak else "all"
        return (
            f"it ran out of memory: it used {used} of the {requested} that it requests,"
            " and `resources.enforce` allows no more"
        )
    return (
        f"it could not allocate memory: with `resources.enforce`, each of its processes may allocate the {requested}"
        " that it requests, whether or not it uses them"
    )


def _megabytes(size: int) -> str:
    """Return a size in the unit of riseml.yml."""
    return f"{size / _BYTES_PER_MB:.0f} MB"
