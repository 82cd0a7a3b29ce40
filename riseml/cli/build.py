"""Command `riseml build`."""

from typing import TYPE_CHECKING, Annotated, TypedDict

from riseml.cli import arguments, formats, options, output
from riseml.cli.documents import Document
from riseml.cli.parameters import Option
from riseml.cli.table import Column
from riseml.client.client import Client
from riseml.client.project_folder import CONFIG_FILE
from riseml.dataclass import replace
from riseml.errors import InvalidInputError

if TYPE_CHECKING:
    from riseml.client.images import Explanation

_COLUMNS = (Column("CHANGE", 7), Column("PART", 9), Column("VALUE", 20, shortest=20))


class ImagePartRecord(TypedDict):
    """One thing that an image is made of: its base image, an install step or a file."""

    part: str
    value: str
    """Its text or digest."""
    change: str
    """Compared with the previous run: same, changed, new or gone."""


class ImageRecord(TypedDict):
    """The image or environment that install steps make."""

    key: str
    image: str | None
    """Null until it is built."""
    before: str | None
    """The id of the run that the parts are compared with."""
    parts: list[ImagePartRecord]


DOCUMENTS = {"build": Document(ImageRecord)}


def command(
    words: arguments.Words = None,
    config_file: options.ConfigFile = CONFIG_FILE,
    settings: arguments.Settings = None,
    explain: Annotated[
        bool, Option("--explain", help="Only show what the image depends on.")
    ] = False,
    output_format: options.OutputFormat = "table",
) -> int:
    """Run install steps ahead of time, or show what they depend on.

    Without --explain, this command starts an experiment that does nothing else, and
    follows it as `train -l` does. The same steps, and the same files that they name,
    give the same image. It is built once.

    Examples:
      riseml build
      riseml build --explain
    """
    from riseml.cli.sync_bar import syncing

    if not explain and output_format != "table":
        raise InvalidInputError(
            f"-o {output_format} needs --explain", "Give both options or neither."
        )
    client = Client()
    file, overrides = arguments.read(config_file, words, settings)
    if explain:
        with syncing():
            explanation = client.explain(file, overrides=overrides)
        _explain(explanation, output_format)
        return 0
    # --explain follows no log.
    from riseml.cli import follow

    with syncing():
        run = str(client.build(file, overrides=overrides).number)
    output.note(
        f"Started experiment {run}; Ctrl-C leaves it running in the background."
    )
    return follow.until_end(client, run)


def _explain(explanation: "Explanation", output_format: str) -> None:
    record = _record(explanation)
    parts = formats.of_records(record["parts"], ImagePartRecord, "part")
    data = replace(parts, records=record, names=[explanation.key])
    rows = [[part.change, part.name, part.value] for part in explanation.parts]
    formats.write_table(data, _COLUMNS, output_format, rows=rows)
    if formats.is_for_people(output_format):
        output.note(_summary(explanation))


def _summary(explanation: "Explanation") -> str:
    if explanation.image:
        status = f"exists: {explanation.image}"
    else:
        status = "does not exist; the next run builds it"
    if explanation.previous_run:
        comparison = f"compared with run {explanation.previous_run}"
    else:
        comparison = "there is no earlier run to compare with"
    return f"The image with key {explanation.key} {status} ({comparison})."


def _record(explanation: "Explanation") -> ImageRecord:
    return {
        "key": explanation.key,
        "image": explanation.image,
        "before": explanation.previous_run or None,
        "parts": [
            {"part": part.name, "value": part.value, "change": part.change}
            for part in explanation.parts
        ],
    }
