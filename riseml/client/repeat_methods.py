"""Methods of `riseml.Client` that run experiments again, or add some to a set."""

from typing import TYPE_CHECKING

from riseml.client.context import ClientContext
from riseml.ids import Id

if TYPE_CHECKING:
    from riseml.client.repeat_types import FolderCode, Grown, Repetition


class RepeatMethods:
    """The part of a client whose methods continue from an earlier run."""

    _context: ClientContext

    def rerun(self, id: str | Id) -> "Repetition":
        """Start a new run with the code, the configuration and the experiments of another.

        `id` is a run, or one experiment of a set.

        Raises:
            NotFoundError: nothing has this id.
            RiseMLError: what it ran is not known any more.
        """
        from riseml.client import repeats

        return repeats.rerun(self._context, id)

    def retry(
        self,
        *names: str | Id,
        failed: bool = False,
        missing: bool = False,
        folder: "FolderCode | None" = None,
        resume: bool = False,
        other_code: bool = False,
    ) -> "Grown":
        """Repeat experiments as part of their set, with the code that they ran.

        `names` are a run (default: the newest) or some experiments of one. Of a run,
        all experiments that have ended without finishing are repeated, with `failed`
        only those that failed, with `missing` only those that were killed, also before
        they started. They keep their numbers, and earlier attempts stay visible. It may
        be called while the run goes on, and by several processes at once.

        With a `folder`, they run its code and configuration; if that is not what they
        ran, only with `other_code`. With `resume`, they find their own output at
        /resume as well.

        Raises:
            InvalidInputError: a named experiment has finished, or has not ended.
            NotFoundError: nothing has an id.
            OtherCodeError: they would run other code; nothing was started.
            RiseMLError: what they ran is not known any more.
        """
        from riseml.client import repeats

        return repeats.retry(
            self._context,
            names,
            failed=failed,
            missing=missing,
            folder=folder,
            resume=resume,
            other_code=other_code,
        )

    def extend(
        self,
        id: str | Id,
        folder: "FolderCode | None" = None,
        *,
        other_code: bool = False,
    ) -> "Grown":
        """Start those experiments of a riseml.yml that a set does not have yet.

        Their numbers follow the last one. If the code or the configuration is not what
        the set ran last, they start only with `other_code`.

        Raises:
            ConfigError: the file has faults; nothing was started.
            InvalidInputError: it is no set, or one of another project.
            OtherCodeError: they would run other code; nothing was started.
        """
        from riseml.client import continuations
        from riseml.client.repeat_types import FolderCode

        return continuations.extend(
            self._context, id, folder or FolderCode(), other_code=other_code
        )
