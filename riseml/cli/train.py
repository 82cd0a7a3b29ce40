"""Command `riseml train`, also `riseml submit`."""

from typing import TYPE_CHECKING, Annotated, Literal, NotRequired, TypedDict

import typer

from riseml import marks
from riseml.cli import arguments, options, output, progress, report, text
from riseml.cli.documents import Document
from riseml.client.client import Client
from riseml.client.project_folder import CONFIG_FILE
from riseml.client.types import Overrides, RunHandle
from riseml.plan import Marks

if TYPE_CHECKING:
    from riseml.project import Snapshot

Logs = Annotated[
    bool,
    typer.Option(
        "-l", "--logs", help="Follow the log; the exit status is the outcome."
    ),
]
DryRun = Annotated[
    bool, typer.Option("--dry-run", help="Show what would run; start nothing.")
]
NoGitignore = Annotated[
    bool,
    typer.Option(
        "--no-gitignore",
        help="Include files that .gitignore excludes or `riseml cp` wrote.",
    ),
]


class StartedRecord(TypedDict):
    """A run that was started."""

    id: str
    name: str
    """The name of its Workflow."""
    project: str
    type: Literal["set", "experiment"]
    experiments: int
    """The number of experiments."""
    revision: str
    """The revision of the code."""
    files: int
    """The number of files of the code."""
    bytes: int
    """The size of the code."""
    tensorboard: NotRequired[str]
    """The address of the run's own TensorBoard, if it is known."""


DOCUMENTS = {"train": Document(StartedRecord)}


Name = Annotated[
    str,
    typer.Option(
        "--name", metavar="NAME", show_default=False, help="Name the run; see `tag`."
    ),
]
Tags = Annotated[
    list[str] | None,
    typer.Option("--tag", metavar="TAG", help="Tag the run; can be repeated."),
]
Note = Annotated[
    str,
    typer.Option(
        "--note", metavar="TEXT", show_default=False, help="A note about the run."
    ),
]


def command(
    words: arguments.Words = None,
    config_file: options.ConfigFile = CONFIG_FILE,
    settings: arguments.Settings = None,
    logs: Logs = False,
    output_format: options.OutputFormat = "table",
    dry_run: DryRun = False,
    no_gitignore: NoGitignore = False,
    name: Name = "",
    tags: Tags = None,
    note: Note = "",
) -> int:
    """Start an experiment or an experiment set in the background.

    The code is the folder of the configuration, without what .risemlignore and
    .gitignore exclude. On a terminal, this command shows install steps until they are
    done. With -l the exit status is 0, 100 (failed) or 103 (killed). Ctrl-C leaves the
    run alone.

    Examples:
      riseml train -l
      riseml train lr=0.1 hidden=16,64 --set train.resources.gpus=1
      riseml train --name baseline --tag paper --note "before the new augmentation"
      riseml train -f riseml_big.yml --dry-run
    """
    client = Client()
    file, overrides = arguments.read(config_file, words, settings)
    # None leaves the decision to the settings.
    gitignore = False if no_gitignore else None
    if dry_run:
        from riseml.cli import preview

        return preview.show(
            client, file, output_format, gitignore=gitignore, overrides=overrides
        )
    # A name that is not valid is reported before the code is read.
    marked = marks.checked(name, tags or (), note)
    run = _train(client, file, gitignore, overrides, marked)
    for warning in run.warnings:
        output.note(str(warning))
    for difference in run.notes:
        output.note(difference)
    if not report.is_for_people(output_format):
        data = report.of_record(_record(run), StartedRecord, "id")
        report.write_data(data, output_format)
    elif logs:
        _announce_followed(run)
    else:
        _announce(run)
    if not logs:
        _show_build(client, run, output_format)
        return 0
    from riseml.cli import follow

    return follow.until_end(client, run.id)


def _train(
    client: Client,
    file: str,
    gitignore: bool | None,
    overrides: Overrides,
    marked: Marks,
) -> RunHandle:
    from riseml.cli.sync_bar import SyncBar
    from riseml.project.progress import listening

    notice = progress.Notice()

    def on_sync(snapshot: "Snapshot") -> None:
        notice.end()
        _announce_snapshot(snapshot)
        notice.begin("Starting...")

    notice.begin("Syncing project...")
    try:
        with listening(SyncBar(notice)):
            return client.train(
                file,
                gitignore=gitignore,
                on_sync=on_sync,
                overrides=overrides,
                marks=marked,
            )
    finally:
        # An error must not be written behind the notice.
        notice.end()


def _announce_snapshot(snapshot: "Snapshot") -> None:
    from riseml.cli import exclusions

    contents = f"{text.size(snapshot.size)}, {text.plural(snapshot.files, 'file')}"
    details = [contents, *exclusions.phrases(snapshot.excluded)]
    output.note(f"Syncing project ({'; '.join(details)})...done")
    for warning in snapshot.warnings:
        output.note(warning)


def _show_build(client: Client, run: RunHandle, output_format: str) -> None:
    if run.installs and output_format == "table":
        # Most runs do without this module and those behind it.
        from riseml.cli import build_progress

        build_progress.follow(client, run.id)


def _announce_followed(run: RunHandle) -> None:
    # With -l, stdout is for the log alone.
    output.note(f"Started {_title(run)}; Ctrl-C leaves it running in the background.")
    _announce_tensorboard(run)


def _announce(run: RunHandle) -> None:
    output.say(f"Started {_title(run)} in the background.")
    _announce_tensorboard(run)
    output.note(
        f"`riseml logs {run.id}` shows its log, `riseml status {run.id}` its state."
    )


def _announce_tensorboard(run: RunHandle) -> None:
    # Its address would lead nowhere for some more seconds.
    if run.has_tensorboard:
        output.note(f"`riseml tensorboard {run.id}` opens its TensorBoard.")


def _title(run: RunHandle) -> str:
    if run.is_set:
        return f"set {run.id} with {text.plural(run.experiments, 'experiment')}"
    return f"experiment {run.id}"


def _record(run: RunHandle) -> StartedRecord:
    fields: StartedRecord = {
        "id": run.id,
        "name": run.name,
        "project": run.project,
        "type": "set" if run.is_set else "experiment",
        "experiments": run.experiments,
        "revision": run.snapshot.revision,
        "files": run.snapshot.files,
        "bytes": run.snapshot.size,
    }
    if run.tensorboard:
        fields["tensorboard"] = run.tensorboard
    return fields
