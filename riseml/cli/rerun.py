"""Command `riseml rerun`."""

from typing import Annotated, Literal, NotRequired, TypedDict

from riseml import phrases
from riseml.cli import formats, options, output
from riseml.cli.documents import Document
from riseml.cli.parameters import Argument
from riseml.client.client import Client
from riseml.client.repeat_types import Repetition


class RerunRecord(TypedDict):
    """A run that repeats another one."""

    id: str
    name: str
    """The name of its Workflow."""
    project: str
    type: Literal["set", "experiment"]
    experiments: int
    """The number of experiments."""
    revision: str
    """The revision of the code."""
    tensorboard: NotRequired[str]
    """The address of the run's own TensorBoard, if it is known."""


DOCUMENTS = {"rerun": Document(RerunRecord)}


def command(
    id: Annotated[
        str,
        Argument(
            metavar="ID", show_default=False, help="A run, or an experiment of a set."
        ),
    ],
    output_format: options.OutputFormat = "table",
) -> None:
    """Run what an earlier run ran once more, as a new run.

    The new run has the code, the configuration and the parameters of the earlier one,
    whatever the folder contains now.

    Examples:
      riseml rerun 14
      riseml rerun 14.3       one experiment of a set
    """
    run = Client().rerun(id)
    output.notes(run.notes)
    if not formats.is_for_people(output_format):
        data = formats.of_record(_record(run), RerunRecord, "id")
        formats.write_data(data, output_format)
        return
    title = f"experiment {run.id}"
    if run.is_set:
        title = f"set {run.id} with {phrases.plural(run.experiments, 'experiment')}"
    output.say(f"Started {title} in the background, with the code of {id}.")
    if run.tensorboard:
        output.say(f"TensorBoard: {run.tensorboard}")


def _record(run: Repetition) -> RerunRecord:
    record = RerunRecord(
        id=run.id,
        name=run.name,
        project=run.project,
        type="set" if run.is_set else "experiment",
        experiments=run.experiments,
        revision=run.revision,
    )
    if run.tensorboard:
        record["tensorboard"] = run.tensorboard
    return record
