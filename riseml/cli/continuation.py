"""`riseml train --extend` and `--resume --in-place`: what starts in an earlier run."""

from typing import NamedTuple

from riseml.cli import growth, output, sync_notice
from riseml.client.client import Client
from riseml.client.repeat_types import FolderCode, Grown
from riseml.dataclass import replace
from riseml.errors import InvalidInputError


class Target(NamedTuple):
    """Experiments of an earlier run that `train` adds to, or continues."""

    extend: str | None
    resume: str | None
    in_place: bool
    dry_run: bool
    runner: str | None = None

    @property
    def is_earlier_run(self) -> bool:
        """Whether the experiments become part of an earlier run."""
        return bool(self.extend) or self.in_place

    def check(self) -> None:
        """Check that the options fit together.

        Raises:
            InvalidInputError: they do not.
        """
        if self.in_place and not self.resume:
            raise InvalidInputError(
                "--in-place needs the experiments to continue",
                "Write for example `riseml train --resume 14 --in-place`.",
            )
        if self.is_earlier_run and self.runner:
            raise InvalidInputError(
                "--runner does not work with --extend or --in-place",
                "They use the runner of the earlier run.",
            )
        others = (self.resume, self.dry_run)
        if self.extend and any(others):
            raise InvalidInputError(
                "--extend does not work with --resume or --dry-run",
                "Use one of them.",
            )
        if self.resume and self.dry_run:
            raise InvalidInputError(
                "--resume does not work with --dry-run", "Use one of them."
            )


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

    def start(other_code: bool) -> Grown:
        if other_code:
            return _start(client, folder, target, other_code=True)
        with sync_notice.shown() as on_sync:
            synced = replace(folder, on_sync=on_sync)
            return _start(client, synced, target, other_code=False)

    grown = growth.confirmed(start, yes=yes)
    if grown is None:
        output.note("Nothing was started.")
        return 1
    output.notes(map(str, grown.warnings))
    title = "Adding {} to set" if target.extend else "Continuing {} of set"
    growth.write(grown, output_format, title, is_note=logs)
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
