"""The verbs of `riseml.Client` that explain and show: why, doctor, tensorboard, output."""

from collections.abc import Callable, Iterator
from dataclasses import replace
from pathlib import Path
from typing import TYPE_CHECKING

from riseml import ids
from riseml.client.context import Verbs
from riseml.engines import (
    Chunk,
    HasLocalOutput,
    LogQuery,
    ProvidesEvidence,
    ServesTensorBoard,
)
from riseml.errors import UnsupportedError
from riseml.ids import Id
from riseml.status.select import pick

if TYPE_CHECKING:
    from riseml.client.tensorboard import Board
    from riseml.diagnosis import Cause
    from riseml.doctor import Finding

_EXPLAINED, _LAST_LINES = (
    5,
    20,
)  # jobs whose logs are looked at for `why`, and how much of them


class InsightVerbs(Verbs):
    """What a client can do to show more of a run, or of its surroundings, than its status."""

    def why(self, id: str | Id | None = None) -> "list[Cause]":
        """Return why a run, experiment or job waits, or how it came to its end, and what helps.

        Raises:
            NotFoundError: nothing has this id.
        """
        from riseml.diagnosis import Evidence, explain, guilty

        wanted = self._find(id)
        if isinstance(self.engine, ProvidesEvidence):
            evidence = self.engine.evidence(wanted)
        else:
            whole = self.read(wanted)
            evidence = Evidence(whole, pick(whole, wanted))
        logs = {
            name: self._last_lines(name)
            for name in guilty(evidence.subject)[:_EXPLAINED]
        }
        return explain(replace(evidence, logs=logs))

    def doctor(self) -> "Iterator[Finding]":
        """Look whether all that runs need is there, here or on the cluster in use; what is wrong is no error here.

        Raises:
            NotFoundError: there is no context of the name that the settings say.
        """
        from riseml import doctor
        from riseml.doctor import machine
        from riseml.engines.open import describe, engine_checks

        checks = machine.general(self.settings, describe(self.settings))
        return doctor.run([*checks, *engine_checks(self.settings)])

    def tensorboard(
        self,
        id: str | Id | None = None,
        *,
        port: int = 0,
        on_note: Callable[[str], None] | None = None,
    ) -> "Board":
        """Return the TensorBoard of a run once it answers: the run's own, else one of this machine over its output.

        Use it in a `with`: one that was started here ends with that. It listens at `port` (0: any free one), and shows
        no more than an experiment where the id is one's. `on_note` hears what is waited for.

        Raises:
            NotFoundError: nothing has this id, or it has no output.
            RiseMLError: there is no TensorBoard on this machine, or it has failed.
        """
        from riseml.client import tensorboard

        wanted = self._find(id)
        pick(self.read(wanted), wanted)
        tell = on_note or (lambda _: None)
        if isinstance(self.engine, tensorboard.Elsewhere):
            return tensorboard.elsewhere(self.engine, wanted, port, tell)
        own = tensorboard.own(
            lambda: self._board(wanted), str(Id(wanted.user, wanted.number)), tell
        )
        return own or tensorboard.serve(self._folder(wanted), port, tell)

    def output(self, id: str | Id | None = None) -> Path:
        """Return the folder of this machine where a run, or an experiment, has left its output.

        Raises:
            NotFoundError: nothing has this id.
            UnsupportedError: the engine keeps it elsewhere.
        """
        wanted = self._find(id)
        pick(self.read(wanted), wanted)
        return self._folder(wanted)

    def _last_lines(self, job: str) -> list[str]:
        query = LogQuery(id=ids.parse(job), follow=False, tail=_LAST_LINES)
        told = b"".join(
            each.data for each in self.engine.logs(query) if isinstance(each, Chunk)
        )
        return told.decode(errors="replace").splitlines()[-_LAST_LINES:]

    def _board(self, run: Id) -> str | None:
        return (
            self.engine.tensorboard_url(run)
            if isinstance(self.engine, ServesTensorBoard)
            else None
        )

    def _folder(self, wanted: Id) -> Path:
        if not isinstance(self.engine, HasLocalOutput):
            raise UnsupportedError(
                f"the outputs of the engine {self.engine.name} are not on this machine"
            )
        return self.engine.folder(wanted)
