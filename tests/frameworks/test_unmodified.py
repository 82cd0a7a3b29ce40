"""Programs that know nothing of RiseML: a riseml.yml is all that they need.

There is one of each kind that people run, and each reports its metrics as such programs do.
What riseml.yml names must be in the results with the value that the program itself wrote to
a file, every file must be in the output, and a SIGKILL must lose no line.
"""

import csv
import json
import shutil
import signal
import struct
import time
from collections.abc import Callable, Iterable, Iterator, Mapping, Sequence
from contextlib import suppress
from pathlib import Path
from typing import NamedTuple

import psutil
import pytest

from riseml.ids import Id
from riseml.status import ExperimentStatus, State
from tests.frameworks.test_frameworks import path_of
from tests.local.conftest import Lab, processes_of

pytestmark = [pytest.mark.frameworks, pytest.mark.timeout(150)]
PROGRAMS = Path(__file__).parent / "unmodified"
Values = dict[str, float]


class Program(NamedTuple):
    """A program, its part of riseml.yml, and what it writes.

    `endless` replaces the run line by one that does not end. `values` returns the metrics
    that riseml.yml names from the files of the program. `lines` yields text that its files
    prove to have been printed.
    """

    environment: str
    train: str
    run: str
    endless: str
    values: Callable[[Path], Values]
    files: tuple[str, ...]
    lines: Callable[[Path], Iterator[str]]


def _rows(path: Path, delimiter: str = ",") -> list[dict[str, str]]:
    """Return the complete rows of a table; a program that was killed may have torn the last."""
    text = path.read_text() if path.exists() else ""
    complete = text[: text.rfind("\n") + 1].splitlines()
    return list(csv.DictReader(complete, delimiter=delimiter))


def _column(path: Path, name: str, delimiter: str = ",") -> list[float]:
    return [float(row[name]) for row in _rows(path, delimiter)]


def _only(folder: Path, pattern: str) -> Path:
    (path,) = folder.glob(pattern)
    return path


def _word_values(folder: Path) -> Values:
    table = folder / "epochs.csv"
    return {
        "valid loss": min(_column(table, "valid loss")),
        "valid ppl": min(_column(table, "valid ppl")),
    }


def _word_lines(folder: Path) -> Iterator[str]:
    for row in _rows(folder / "epochs.csv"):
        yield f"| valid loss {row['valid loss']:>5} | valid ppl {row['valid ppl']:>8}\n"


def _gpt_losses(folder: Path) -> list[dict[str, float]]:
    with suppress(OSError, ValueError):
        losses: list[dict[str, float]] = json.loads(
            (folder / "out/losses.json").read_text()
        )
        return losses
    return []


def _gpt_values(folder: Path) -> Values:
    return {"val_loss": min(row["val"] for row in _gpt_losses(folder))}


def _gpt_lines(folder: Path) -> Iterator[str]:
    for row in _gpt_losses(folder):
        yield f", val loss {row['val']:.4f}\n"


def _jax_rows(folder: Path) -> list[list[str]]:
    path = folder / "loss.txt"
    text = path.read_text() if path.exists() else ""
    return [line.split() for line in text.splitlines(keepends=True) if "\n" in line]


def _jax_values(folder: Path) -> Values:
    rows = _jax_rows(folder)
    return {
        "loss": min(float(row[1]) for row in rows),
        "bpc": min(float(row[2]) for row in rows),
    }


def _jax_lines(folder: Path) -> Iterator[str]:
    for step, loss, bpc in _jax_rows(folder):
        yield f"step={step} loss={loss} bpc={bpc}\n"


def _returns(folder: Path) -> list[float]:
    """Return the numbers of NumPy's file of 64-bit numbers."""
    path = folder / "returns.npy"
    data = path.read_bytes() if path.exists() else b""
    header = data.find(b"\n") + 1
    count = (len(data) - header) // 8
    return list(struct.unpack_from(f"<{count}d", data, header)) if header else []


def _reinforce_values(folder: Path) -> Values:
    return {"charts/episodic_return": max(_returns(folder))}


def _reinforce_lines(folder: Path) -> Iterator[str]:
    for episode, reward in enumerate(_returns(folder), 1):
        if episode % 5 == 0:
            yield f"Episode {episode}\tLast reward: {reward:.2f}\t"


def _boosting_values(folder: Path) -> Values:
    table = folder / "evals.csv"
    return {
        "auc": max(_column(table, "auc")),
        "binary_logloss": min(_column(table, "binary_logloss")),
    }


def _boosting_lines(folder: Path) -> Iterator[str]:
    for row in _rows(folder / "evals.csv"):
        auc, loss = float(row["auc"]), float(row["binary_logloss"])
        number = int(row["iteration"]) + 1
        yield f"[{number}]\tvalid_0's auc: {auc:g}\tvalid_0's binary_logloss: {loss:g}\n"


def _notebook_values(folder: Path) -> Values:
    return {"rmse": json.loads((folder / "metrics.json").read_text())["rmse"]}


def _notebook_lines(folder: Path) -> Iterator[str]:
    if (folder / "trial.txt").exists():
        yield "[NbConvertApp] Converting notebook analysis.ipynb to notebook\n"
        yield ""


def _r_values(folder: Path) -> Values:
    table = folder / "history.csv"
    return {
        "loss": min(_column(table, "loss")),
        "accuracy": max(_column(table, "accuracy")),
    }


def _r_lines(folder: Path) -> Iterator[str]:
    for row in _rows(folder / "history.csv"):
        yield f"epoch {row['epoch']} loss {row['loss']} accuracy {row['accuracy']}\n"


def _hydra_values(folder: Path) -> Values:
    losses = json.loads(_only(folder, "outputs/*/*/losses.json").read_text())
    return {"train_loss": min(losses)}


def _hydra_lines(folder: Path) -> Iterator[str]:
    for path in folder.glob("outputs/*/*/ddp_hydra.log"):
        for line in path.read_text().splitlines(keepends=True):
            # Both processes may write to the same file.
            if "INFO] - epoch: " in line and line.endswith("\n"):
                yield line


def _keras_values(folder: Path) -> Values:
    history = json.loads((folder / "history.json").read_text())
    return {
        "val_loss": min(history["val_loss"]),
        "val_accuracy": max(history["val_accuracy"]),
    }


def _keras_lines(folder: Path) -> Iterator[str]:
    for number, _ in enumerate(_rows(folder / "training.log"), 1):
        yield f"Epoch {number}/100000\n"


def _tf1_values(folder: Path) -> Values:
    return {"test_accuracy": max(_column(folder / "eval.tsv", "test_accuracy", "\t"))}


def _tf1_lines(folder: Path) -> Iterator[str]:
    for path in folder.glob("train/model.ckpt-*.index"):
        yield f"Step {path.stem.rpartition('-')[2]}: loss = "


ALL = {
    "word_language_model.py": Program(
        "torch",
        "results: {valid loss: min, valid ppl: min}",
        "python word_language_model.py",
        "python word_language_model.py --epochs 100000",
        _word_values,
        ("model.pt", "epochs.csv"),
        _word_lines,
    ),
    "char_gpt.py": Program(
        "torch",
        "results: {val_loss: min}",
        "python char_gpt.py --max_iters=40",
        "python char_gpt.py --max_iters=100000",
        _gpt_values,
        ("out/ckpt.pt", "out/losses.json"),
        _gpt_lines,
    ),
    "jax_char_lm.py": Program(
        "jax",
        "results: {loss: min, bpc: min}",
        "python jax_char_lm.py",
        "python jax_char_lm.py --steps 1000000",
        _jax_values,
        ("loss.txt", "params.pkl"),
        _jax_lines,
    ),
    "reinforce.py": Program(
        "programs",
        "results: {charts/episodic_return: max}",
        "python reinforce.py",
        "python reinforce.py --episodes 100000",
        _reinforce_values,
        ("runs/*/events.out.tfevents.*", "checkpoints/policy_30.pt", "returns.npy"),
        _reinforce_lines,
    ),
    "boosting.py": Program(
        "programs",
        "results: {auc: max, binary_logloss: min}",
        "python boosting.py",
        "python boosting.py --rounds 100000",
        _boosting_values,
        ("model.txt", "evals_result.json", "evals.csv"),
        _boosting_lines,
    ),
    "analysis.ipynb": Program(
        "programs",
        "results: {rmse: min}",
        "jupyter nbconvert --to notebook --execute --inplace analysis.ipynb",
        "TRIALS=100000 jupyter nbconvert --to notebook --execute --inplace analysis.ipynb",
        _notebook_values,
        ("analysis.ipynb", "metrics.json", "weights.csv"),
        _notebook_lines,
    ),
    "regression.R": Program(
        "r",
        "results: {loss: min, accuracy: max}",
        "Rscript regression.R 20",
        "Rscript regression.R 100000000",
        _r_values,
        ("Rplots.pdf", "history.csv", "weights.rds"),
        _r_lines,
    ),
    "ddp_hydra.py": Program(
        "programs",
        "framework: pytorch\npytorch: {workers: {count: 1, processes: 2}}\nresults: {train_loss: min}",
        "python ddp_hydra.py lr=0.1",
        "python ddp_hydra.py epochs=1000000",
        _hydra_values,
        ("outputs/*/*/last.ckpt", "outputs/*/*/.hydra/config.yaml"),
        _hydra_lines,
    ),
    "keras_fit.py": Program(
        "tensorflow",
        "results: {val_loss: min, val_accuracy: max}",
        "python keras_fit.py",
        "python keras_fit.py --epochs 100000",
        _keras_values,
        (
            "model.keras",
            "checkpoints/best.weights.h5",
            "logs/train/events.out.tfevents.*",
            "logs/validation/events.out.tfevents.*",
            "training.log",
            "history.json",
        ),
        _keras_lines,
    ),
    "tf1_graph.py": Program(
        "tensorflow",
        "results: {test_accuracy: max}",
        "python tf1_graph.py",
        "python tf1_graph.py --max_steps=1000000",
        _tf1_values,
        (
            "train/checkpoint",
            "train/model.ckpt-50.index",
            "train/events.out.tfevents.*",
            "eval.tsv",
        ),
        _tf1_lines,
    ),
}


@pytest.fixture(autouse=True)
def _usual_shell(monkeypatch: pytest.MonkeyPatch) -> None:
    """Remove what the shell of a test machine may have set, and that of a user has not."""
    monkeypatch.delenv("PYTHONUNBUFFERED", raising=False)


def train(lab: Lab, name: str, run: str) -> None:
    """Start a program as its user does: its files, and a riseml.yml."""
    shutil.copy(PROGRAMS / name, lab.folder)
    if name == "ddp_hydra.py":
        shutil.copytree(PROGRAMS / "conf", lab.folder / "conf")
    program = ALL[name]
    resources = "resources: {cpus: 1, mem: 1}"
    lab.train(
        f"{resources}\n{program.train}\nrun: {run}", PATH=path_of(program.environment)
    )


def experiment_of(lab: Lab) -> ExperimentStatus:
    (experiment,) = lab.engine.read(Id(number=1)).experiments
    return experiment


def rounded(values: Mapping[str, object]) -> dict[str, float]:
    """Return values as 32 bits hold them: event files have no more."""
    return {
        name: struct.unpack("f", struct.pack("f", value))[0]
        for name, value in values.items()
    }


@pytest.mark.parametrize("name", ALL)
def test_results_and_files_of_an_unmodified_program_are_kept(
    name: str, lab: Lab
) -> None:
    program = ALL[name]
    train(lab, name, program.run)
    lab.wait(1)
    experiment = experiment_of(lab)
    assert experiment.state is State.FINISHED, lab.log(1)
    kept = lab.output(1) / "workdir"
    for pattern in program.files:
        assert list(kept.glob(pattern)), f"{pattern} is not in {list(kept.rglob('*'))}"
    assert rounded(experiment.result or {}) == rounded(program.values(kept))


@pytest.mark.parametrize("name", ALL)
def test_a_sigkill_of_an_unmodified_program_loses_no_line(name: str, lab: Lab) -> None:
    program = ALL[name]
    train(lab, name, program.endless)
    home = lab.engine.reader.home

    def lines() -> set[str]:
        # Several processes may work in the same folder.
        proven: set[str] = set()
        for folder in working_folders(lab):
            proven.update(program.lines(folder))
        return proven

    lab.until(lambda: len(lines()) >= 2, "the program has written two records")
    trainers = [
        process
        for process in processes_of(home)
        if name in " ".join(process.cmdline()) and not is_shell(process)
    ]

    def are_whole() -> bool:
        # A file that a program writes anew is empty for a moment, and the program itself would lose it then.
        pause_later(trainers)
        return len(lines()) >= 2

    lab.until(are_whole, "its files are whole")
    send(trainers, signal.SIGKILL)
    lab.wait(1)
    experiment = experiment_of(lab)
    assert (experiment.state, experiment.exit_code) == (State.FAILED, 137), lab.log(1)
    log = lab.log(1)
    kept = lab.output(1) / "workdir"
    proven = list(program.lines(kept))
    assert len(proven) >= 2
    assert [line for line in proven if line not in log] == []


def send(processes: Iterable[psutil.Process], number: int) -> None:
    for process in processes:
        with suppress(psutil.NoSuchProcess):
            process.send_signal(number)


def pause_later(processes: Sequence[psutil.Process]) -> None:
    """Let processes run on for a moment, and pause them again."""
    send(processes, signal.SIGCONT)
    time.sleep(0.01)
    send(processes, signal.SIGSTOP)
    time.sleep(0.05)


def working_folders(lab: Lab) -> set[Path]:
    """Return the folders in which the run's processes work, as this process reaches them."""
    folders = set()
    for process in processes_of(lab.engine.reader.home):
        with suppress(psutil.Error, OSError):
            folders.add(Path(f"/proc/{process.pid}/cwd"))
    return folders


def is_shell(process: psutil.Process) -> bool:
    return Path(process.cmdline()[0]).name in {"sh", "bash", "dash"}
