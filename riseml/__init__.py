"""RiseML: run machine-learning experiments from one file, on a laptop or as Argo Workflows on a cluster.

`riseml.Client` does what the command line does. Inside a job, `riseml.report_result(accuracy=0.9)` and
`riseml.report_progress(3, 10)` tell RiseML how it goes; they are the very code that every job finds on its path.
"""

# As in `typing`, whose import no command should have to pay for
TYPE_CHECKING = False
if TYPE_CHECKING:
    from riseml.client.client import Client as Client

    def report_result(**values: object) -> None:
        """Report values by name; they join those of earlier calls."""

    def report_progress(done: float, total: float) -> None:
        """Report that `done` of `total` is done."""

    def experiment_id() -> str | None:
        """Return the id of the experiment that this process works for, None outside of one."""


__version__ = "2.0.0.dev0"
__all__ = ["Client", "experiment_id", "report_progress", "report_result"]

_IN_JOBS = frozenset({"experiment_id", "report_progress", "report_result"})


def __getattr__(name: str) -> object:
    """Find a public name when it is first used: what a process does not need, it does not load."""
    if name in _IN_JOBS:
        globals().update(_job_library())
    elif name == "Client":
        from riseml.client.client import Client  # noqa: PLC0415

        globals()[name] = Client
    else:
        raise AttributeError(f"module 'riseml' has no attribute '{name}'")
    return globals()[name]


def _job_library() -> dict[str, object]:
    from riseml import templating  # noqa: PLC0415

    path = templating.folder() / "riseml.py"
    library: dict[str, object] = {"__name__": "riseml"}
    # Our own file, there for jobs
    exec(compile(path.read_bytes(), str(path), "exec"), library)  # noqa: S102
    return {name: library[name] for name in _IN_JOBS}
