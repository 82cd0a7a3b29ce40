"""Check of `riseml doctor` for container engines, and which runner they make possible."""

import os

from riseml.doctor.findings import Outcome, failed, ok, warning
from riseml.engines.local.containers import detection
from riseml.engines.local.containers.detection import ContainerEngine
from riseml.engines.local.containers.program import PROGRAMS
from riseml.settings import AUTO, PROCESS, Settings


def containers(settings: Settings) -> Outcome:
    """The images of riseml.yml."""
    engines = []
    for name in PROGRAMS:
        engine = detection.detect(name, os.environ, settings.home, fresh=True)
        engines.append(engine)
    sentences = "; ".join(map(_describe, engines))
    if settings.runner == PROCESS:
        return ok(f"the setting runner ignores them ({sentences})")
    if settings.runner != AUTO:
        return _named(engines, settings.runner, sentences)
    for engine in engines:
        if not engine.problem:
            return ok(f"{sentences}. Jobs with an image of their own use {engine.name}")
    detail = f"jobs do not use them: {sentences}"
    broken = [engine for engine in engines if engine.problem != detection.NOT_INSTALLED]
    # Who has installed none does not want any.
    return warning(detail, broken[0].advice) if broken else ok(detail)


def _named(engines: list[ContainerEngine], runner: str, sentences: str) -> Outcome:
    for engine in engines:
        if engine.name == runner and engine.problem:
            detail = f"the setting runner names {runner}: {engine.problem}"
            return failed(detail, engine.advice)
    return ok(f"{sentences}. All jobs use {runner}")


def _describe(engine: ContainerEngine) -> str:
    if engine.problem:
        return f"{engine.name}: {engine.problem}"
    rights = "rootless" if engine.is_rootless else "as root"
    return f"{engine.title} ({engine.storage_driver}, {rights})"
