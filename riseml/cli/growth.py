"""Output of commands that give a run further experiments, or further attempts of some."""

from collections.abc import Callable
from typing import NotRequired, TypedDict

from riseml import phrases
from riseml.cli import formats, output
from riseml.cli.documents import Document
from riseml.client.repeat_types import Grown
from riseml.errors import OtherCodeError
from riseml.excerpts import first_of

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


def write(
    grown: Grown, output_format: str, title: str, *, is_note: bool = False
) -> None:
    """Print what was started in a run, after `title`: "Repeating {} of set".

    It is a note if standard output belongs to a log.
    """
    output.notes(grown.notes)
    if not formats.is_for_people(output_format):
        data = formats.of_record(_record(grown), GrowthRecord, "id")
        formats.write_data(data, output_format)
    elif grown.experiments:
        print_line = output.note if is_note else output.say
        print_line(f"{_title(grown, title)} in the background.")
        if grown.tensorboard:
            print_line(f"TensorBoard: {grown.tensorboard}")
    else:
        output.note(f"Nothing to start: {grown.id} has it all.")


def _title(grown: Grown, title: str) -> str:
    if not grown.is_set:
        return f"{title.split(maxsplit=1)[0]} experiment {grown.id}"
    ids = first_of(grown.experiments, _MAX_IDS)
    count = phrases.plural(len(grown.experiments), "experiment")
    return f"{title.format(count)} {grown.id} ({ids})"


def _record(grown: Grown) -> GrowthRecord:
    record = GrowthRecord(
        id=grown.id, project=grown.project, experiments=list(grown.experiments)
    )
    if grown.tensorboard:
        record["tensorboard"] = grown.tensorboard
    return record
