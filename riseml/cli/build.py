"""`riseml build`."""

from typing import TYPE_CHECKING, Annotated

import typer

from riseml.cli import options, output, table, terminal
from riseml.client.client import Client
from riseml.client.context import CONFIG_FILE

if TYPE_CHECKING:
    from riseml.client.images import Explanation

_TITLES = ("CHANGE", "PART", "VALUE")


def command(
    config_file: options.ConfigFile = CONFIG_FILE,
    explain: Annotated[
        bool, typer.Option("--explain", help="Only say what the image depends on.")
    ] = False,
    form: options.Reading = "table",
) -> int:
    """Run install steps ahead of time, or show what they depend on.

    Without --explain an experiment that does nothing else is started and followed, as by `train -l`. The same steps,
    and files that they name, make the same image, which is built once.

    Examples:
      riseml build
      riseml build --explain
    """
    client = Client()
    if explain:
        _explain(client.explain(config_file), form)
        return 0
    from riseml.cli import follow

    run = str(client.build(config_file).number)
    output.note(f"Experiment {run} started; Ctrl-C leaves it running in background.")
    return follow.to_its_end(client, run)


def _explain(found: "Explanation", form: str) -> None:
    if form in {"json", "yaml"}:
        parts = [
            {"part": part.name, "value": part.value, "change": part.change}
            for part in found.parts
        ]
        output.data(
            {
                "key": found.key,
                "image": found.image,
                "before": found.previous_run or None,
                "parts": parts,
            },
            form,
        )
        return
    if form == "name":
        output.say(found.key)
        return
    rows = [[part.change, part.name, part.value] for part in found.parts]
    if form == "csv":
        output.csv(_TITLES, rows)
        return
    columns = [
        table.Column(_TITLES[0], 7),
        table.Column(_TITLES[1], 9),
        table.Column(_TITLES[2], 20, shortest=20),
    ]
    output.lines(table.render(columns, rows, terminal.output()))
    since = (
        f"compared to run {found.previous_run}"
        if found.previous_run
        else "there is no earlier run to compare with"
    )
    there = (
        f"is there: {found.image}"
        if found.image
        else "is not there; the next run builds it"
    )
    output.note(f"The image of key {found.key} {there} ({since}).")
