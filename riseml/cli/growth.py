"""Output of commands that give a run further experiments, or further attempts of some."""

from collections.abc import Callable
from dataclasses import replace
from typing import NamedTuple, NotRequired, TypedDict

from riseml.cli import output, report, sync_notice, text
from riseml.cli.documents import Document
from riseml.client.client import Client
from riseml.client.types import FolderCode, Grown
from riseml.errors import InvalidInputError, OtherCodeError

# A line has room for so many ids.
_MAX_IDS = 8


class GrowthRecord(TypedDict):
    """A run that got experiments, or further attempts of some."""

    id: str
    project: str
    experiments: list[str]
    """The ids of the experiments that were started; none if there was nothing to do."""
    tensorboard: NotRequired[str]
    """The address of the run's own TensorBoard, if it is known."""


DOCUMENTS = {"retry": Document(GrowthRecord), "train-extend": Document(GrowthRecord)}


class Target(NamedTuple):
    """Experiments of an earlier run that `train` adds to, or continues in their place."""

    extend: str | None
    resume: str | None
    in_place: bool


def train(
    client: Client,
    folder: FolderCode,
    target: Target,
    output_format: str,
    *,
    yes: bool,
    logs: bool,
) -> int:
    """Start what a folder contains in an earlier run; return the exit status."""
    if target.in_place and not target.resume:
        raise InvalidInputError(
            "--in-place needs the experiments to continue",
            "Write for example `riseml train --resume 14 --in-place`.",
        )
    if target.extend and target.resume:
        raise InvalidInputError(
            "--extend and --resume do not work together",
            "Extend the set first, or continue it with --resume.",
        )

    def start(other_code: bool) -> Grown:
        if other_code:
            return _start(client, folder, target, other_code=True)
        with sync_notice.shown() as on_sync:
            synced = replace(folder, on_sync=on_sync)
            return _start(client, synced, target, other_code=False)

    grown = confirmed(start, yes=yes)
    if grown is None:
        output.note("Nothing was started.")
        return 1
    for warning in grown.warnings:
        output.note(str(warning))
    write(grown, output_format, "Adding" if target.extend else "Continuing")
    if not (logs and grown.experiments):
        return 0
    from riseml.cli import follow

    return follow.until_end(client, grown.id)


def _start(
    client: Client, folder: FolderCode, target: Target, *, other_code: bool
) -> Grown:
    if target.extend:
        return client.extend(target.extend, folder, other_code=other_code)
    return client.retry(
        target.resume or "", folder=folder, resume=True, other_code=other_code
    )


def confirmed(start: Callable[[bool], Grown], *, yes: bool) -> Grown | None:
    """Return what `start` started; None if the user does not agree to other code."""
    try:
        return start(False)
    except OtherCodeError as error:
        if not output.confirm(f"{error}. Go on?", yes=yes):
            return None
        if yes:
            output.note(f"Note: {error}.")
    return start(True)


def write(grown: Grown, output_format: str, verb: str) -> None:
    """Print what was started in a run; `verb` says how, as in "Repeating"."""
    for note in grown.notes:
        output.note(note)
    if not report.is_for_people(output_format):
        data = report.of_record(_record(grown), GrowthRecord, "id")
        report.write_data(data, output_format)
    elif grown.experiments:
        output.say(f"{verb} {_title(grown)} in the background.")
        if grown.tensorboard:
            output.say(f"TensorBoard: {grown.tensorboard}")
    else:
        output.note(f"Nothing to start: {grown.id} has it all.")


def _title(grown: Grown) -> str:
    if not grown.is_set:
        return f"experiment {grown.id}"
    listed = grown.experiments[:_MAX_IDS]
    ids = ", ".join(listed)
    if len(listed) < len(grown.experiments):
        ids += ", ..."
    count = text.plural(len(grown.experiments), "experiment")
    return f"{count} of set {grown.id} ({ids})"


def _record(grown: Grown) -> GrowthRecord:
    record = GrowthRecord(
        id=grown.id, project=grown.project, experiments=list(grown.experiments)
    )
    if grown.tensorboard:
        record["tensorboard"] = grown.tensorboard
    return record
