"""Reading the log of a job that printed a million lines: `riseml logs` to a pipe, and `--grep`.

The lines are as long as those of Python's `logging` with three values. With short ones, the start of Python takes
longer than `cat` takes for all.
"""

from collections.abc import Iterator

from lab import Lab, lab
from measure import RISEML, Command, Figure, main, side_by_side

LINES = 1_000_000
LONG = "2026-11-28 18:00:00,123 INFO train epoch 12 step %.0f loss 0.012345 accuracy 0.9876 lr 0.000100 42.1 it/s"
PATTERN = "step [0-9]*777 "


def measure(rounds: int | None = None) -> Iterator[Figure]:
    """Yield a row for all lines, one for those that match, and one for short lines."""
    with lab() as place:
        log, riseml = _job(place, "long", LONG)
        cases = (
            ("1,000,000 lines through `logs` to a pipe", "cat", riseml, 3),
            ("`logs --grep`", f"grep '{PATTERN}'", f"{riseml} --grep '{PATTERN}'", 5),
        )
        for name, tool, command, target in cases:
            yield _row(
                place, name, f"{tool} {log}", command, rounds=rounds, target=target
            )
        log, riseml = _job(place, "short", "line %.0f")
        name = "1,000,000 short lines through `logs` to a pipe"
        yield _row(place, name, f"cat {log}", riseml, rounds=rounds)


def _job(place: Lab, name: str, line: str) -> tuple[str, str]:
    """Run a job that prints lines; return the path of its log, and the command that shows it."""
    project = place.one_job(name, f"seq -f '{line}' {LINES}")
    number = place.train(project)
    place.riseml("wait", number)
    (log,) = place.output(project, number).glob(".riseml/logs/*.log")
    return str(log), f"{RISEML[0]} logs {number} --no-follow"


def _row(
    place: Lab,
    name: str,
    base_command: str,
    command: str,
    *,
    rounds: int | None,
    target: float | None = None,
) -> Figure:
    base = base_command.rpartition(" ")[0]
    commands: dict[str, Command] = {
        base: ["sh", "-c", f"{base_command} | cat"],
        name: ["sh", "-c", f"{command} | cat"],
    }
    times = side_by_side(commands, base=base, rounds=rounds or 9, env=place.variables)
    return times[name].figure(name, target)


if __name__ == "__main__":
    main(measure)
