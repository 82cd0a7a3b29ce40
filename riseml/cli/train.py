"""`riseml train`, also `riseml submit`."""

from typing import TYPE_CHECKING, Annotated, Literal

import typer

from riseml.cli import options, output, progress, text
from riseml.client.client import Client
from riseml.client.context import CONFIG_FILE
from riseml.client.types import RunHandle

if TYPE_CHECKING:
    from riseml.project import Snapshot


def command(
    config_file: options.ConfigFile = CONFIG_FILE,
    logs: Annotated[
        bool,
        typer.Option(
            "-l", "--logs", help="Follow the log; the exit status is the outcome."
        ),
    ] = False,
    form: Annotated[
        Literal["table", "json", "yaml", "name"],
        typer.Option(
            "-o",
            "--output",
            metavar="FORMAT",
            help="table, json or name; with --dry-run also yaml.",
        ),
    ] = "table",
    dry_run: Annotated[
        bool, typer.Option("--dry-run", help="Show what would run, and start nothing.")
    ] = False,
    no_gitignore: Annotated[
        bool,
        typer.Option("--no-gitignore", help="Take files that .gitignore names, too."),
    ] = False,
) -> int:
    """Start an experiment or an experiment set in the background.

    The code is everything beside the file, except what .risemlignore and .gitignore name. With -l the exit status is
    0, 100 (failed) or 103 (killed); Ctrl-C leaves the run alone.

    Examples:
      riseml train -l
      riseml train -f riseml_big.yml --dry-run
    """
    client = Client()
    gitignore = False if no_gitignore else None
    if dry_run:
        from riseml.cli import preview

        return preview.show(client, config_file, form, gitignore=gitignore)
    run = _train(client, config_file, gitignore)
    for remark in (*map(str, run.warnings), *run.notes):
        output.note(remark)
    _started(run, form, logs=logs)
    if not logs:
        return 0
    from riseml.cli import follow

    return follow.until_end(client, run.id)


def _train(client: Client, file: str, gitignore: bool | None) -> RunHandle:
    notice = progress.Notice()

    def synced(snapshot: "Snapshot") -> None:
        notice.end()
        _synced(snapshot)
        notice.begin("Starting...")

    notice.begin("Syncing project...")
    try:
        return client.train(file, gitignore=gitignore, on_sync=synced)
    finally:
        notice.end()


def _synced(snapshot: "Snapshot") -> None:
    ignored = f", {snapshot.ignored} left out by .gitignore" if snapshot.ignored else ""
    files = text.plural(snapshot.files, "file")
    output.note(
        f"Syncing project ({text.size(snapshot.size)}, {files}{ignored})...done"
    )
    for warning in snapshot.warnings:
        output.note(warning)


def _started(run: RunHandle, form: str, *, logs: bool) -> None:
    if form in {"json", "yaml"}:
        output.data(_record(run), form)
    elif form == "name":
        output.say(run.id)
    else:
        what = (
            f"Set {run.id} of {text.plural(run.experiments, 'experiment')}"
            if run.is_set
            else f"Experiment {run.id}"
        )
        board = f"TensorBoard: {run.tensorboard}" if run.tensorboard else ""
        if logs:
            output.note(f"{what} started; Ctrl-C leaves it running in the background.")
            if board:
                output.note(board)
            return
        output.say(f"{what} started in the background.")
        if board:
            output.say(board)
        output.note(
            f"`riseml logs {run.id}` shows its log, `riseml status {run.id}` its state."
        )


def _record(run: RunHandle) -> dict[str, object]:
    return {
        "id": run.id,
        "name": run.name,
        "project": run.project,
        "type": "set" if run.is_set else "experiment",
        "experiments": run.experiments,
        "revision": run.snapshot.revision,
        "files": run.snapshot.files,
        "bytes": run.snapshot.size,
        **({"tensorboard": run.tensorboard} if run.tensorboard else {}),
    }
