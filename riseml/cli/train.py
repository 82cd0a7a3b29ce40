"""Command `riseml train`, also `riseml submit`."""

from typing import Annotated, Literal, NotRequired

from riseml import marks, phrases
from riseml.cli import (
    arguments,
    continuation,
    formats,
    options,
    output,
    runners,
    sync_notice,
)
from riseml.cli.documents import Document
from riseml.cli.parameters import Option
from riseml.client.client import Client
from riseml.client.project_folder import CONFIG_FILE
from riseml.client.repeat_types import FolderCode
from riseml.client.types import RunHandle
from riseml.plan import Marks

Logs = Annotated[
    bool,
    Option("-l", "--logs", help="Follow the log; the exit status is the outcome."),
]
DryRun = Annotated[
    bool, Option("--dry-run", help="Show what would run; start nothing.")
]
NoGitignore = Annotated[
    bool,
    Option(
        "--no-gitignore",
        help="Include files that .gitignore excludes or RiseML wrote.",
    ),
]
Runner = Annotated[
    str | None,
    Option(
        "--runner",
        metavar="RUNNER",
        show_default=False,
        help="Run jobs as process, in podman or docker; auto chooses.",
    ),
]
Extend = Annotated[
    str | None,
    Option(
        "--extend", metavar="SET", help="Add the experiments that a set lacks to it."
    ),
]
Resume = Annotated[
    str | None,
    Option(
        "--resume",
        metavar="ID",
        help="Continue experiments: their output is at /resume.",
    ),
]
InPlace = Annotated[
    bool,
    Option(
        "--in-place", help="With --resume: as their next attempts, in the same folders."
    ),
]


class StartedRecord(runners.RunnerFields):
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
    Option(
        "--name", metavar="NAME", show_default=False, help="Name the run; see `tag`."
    ),
]
Tags = Annotated[
    list[str] | None,
    Option("--tag", metavar="TAG", help="Tag the run; can be repeated."),
]
Note = Annotated[
    str,
    Option("--note", metavar="TEXT", show_default=False, help="A note about the run."),
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
    extend: Extend = None,
    resume: Resume = None,
    in_place: InPlace = False,
    runner: Runner = None,
    yes: options.Yes = False,
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
      riseml train lr=0.1,0.2,0.3 --extend 14      what set 14 lacks of this grid
      riseml train --resume 14.3                   from the output of 14.3
      riseml train --runner podman                 in the image of riseml.yml
    """
    client = Client()
    file, overrides = arguments.read(config_file, words, settings)
    # None leaves the decision to the settings.
    gitignore = False if no_gitignore else None
    folder = FolderCode(file, overrides, gitignore)
    target = continuation.Target(
        extend, resume, in_place=in_place, dry_run=dry_run, runner=runner
    )
    target.check()
    if dry_run:
        from riseml.cli import preview

        return preview.show(
            client,
            file,
            output_format,
            gitignore=gitignore,
            overrides=overrides,
            runner=runner,
        )
    if target.is_earlier_run:
        return continuation.train(
            client, folder, target, output_format, yes=yes, logs=logs
        )
    # A name that is not valid is reported before the code is read.
    marked = marks.checked(name, tags or (), note)
    run = _train(client, folder, marked, resume, runner)
    _write(run, output_format, logs=logs)
    if not logs:
        _show_build(client, run, output_format)
        return 0
    from riseml.cli import follow

    return follow.until_end(client, run.id)


def _write(run: RunHandle, output_format: str, *, logs: bool) -> None:
    output.notes(map(str, run.warnings))
    output.notes(run.notes)
    output.notes(runners.lines(run.runner))
    if not formats.is_for_people(output_format):
        data = formats.of_record(_record(run), StartedRecord, "id")
        formats.write_data(data, output_format)
    elif logs:
        _announce_followed(run)
    else:
        _announce(run)


def _train(
    client: Client,
    folder: FolderCode,
    marked: Marks,
    resume: str | None,
    runner: str | None,
) -> RunHandle:
    with sync_notice.shown() as on_sync:
        return client.train(
            folder.path,
            gitignore=folder.gitignore,
            on_sync=on_sync,
            overrides=folder.overrides,
            marks=marked,
            resume=resume,
            runner=runner,
        )


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
        return f"set {run.id} with {phrases.plural(run.experiments, 'experiment')}"
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
    chosen = runners.fields(run.runner)
    if "runner" in chosen:
        fields["runner"] = chosen["runner"]
    if "runner_reason" in chosen:
        fields["runner_reason"] = chosen["runner_reason"]
    if run.tensorboard:
        fields["tensorboard"] = run.tensorboard
    return fields
