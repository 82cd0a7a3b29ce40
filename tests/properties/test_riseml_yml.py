"""Any riseml.yml is either loaded or refused with position and reason, and the schema agrees."""

import json
from collections.abc import Iterable, Iterator
from contextlib import suppress
from copy import deepcopy
from pathlib import Path
from typing import Any

import pytest
from hypothesis import HealthCheck, given, settings
from hypothesis import strategies as st

from riseml.config import load, load_text
from riseml.errors import ConfigError, Fault, UnsupportedError
from riseml.planner import plan
from riseml.search import grid
from tests.riseml_yml import load_with_faults, schema_disagreement
from tests.unit.config.test_config import ALL

TEXTS = sorted(
    {case.text for cases in ALL.values() for case in cases if len(case.text) < 2_000}
)
PIECES = [
    "\n", "  ", "\t", ": ", "- ", "{", "}", "[", "]", ",", "'", '"', "#", "&a ", "*a", "<<: *a", "!!int ",
    "!x ", "|\n", ">-\n", "? ", "---\n", "...\n", "%YAML 1.2\n", "{{", "}}", "{{lr}}", "{{workflow.name}}",
    "{{=", "null", "~", "true", "yes", "0x1F", "0o7", "1e-6", ".inf", "-.inf", ".nan", "1e999", "9" * 50, "-1",
    "0", "''", "\\", "\x00", "\x1b[31m", "\x85", "\u2028", "\u202e", "\ufeff", "\ud800", "日本", "\U0001f600",
    "project: ", "train:\n", "  run: ", "parameters: ", "range: ", "4Gi", "tensorflow: ", "distributed: ",
    "resources: ", "image: ", "worker: ", "params: ", "deploy: ", "framework: ", "on: ",
]  # fmt: skip
QUICK = settings(
    derandomize=True,
    database=None,
    suppress_health_check=[HealthCheck.too_slow, HealthCheck.data_too_large],
)


@st.composite
def mutated(draw: st.DrawFn) -> str:
    """A valid file after some slips: text inserted, cut, moved, doubled or indented."""
    text = draw(st.sampled_from(TEXTS))
    for _ in range(draw(st.integers(1, 4))):
        start = draw(st.integers(0, len(text)))
        end = min(len(text), start + draw(st.integers(0, 12)))
        kind = draw(
            st.sampled_from(
                ["insert", "cut", "double", "move", "swap", "indent", "splice"]
            )
        )
        if kind == "insert":
            text = text[:start] + draw(st.sampled_from(PIECES)) + text[start:]
        elif kind == "cut":
            text = text[:start] + text[end:]
        elif kind == "double":
            text = text[:end] + text[start:]
        elif kind == "move":
            text = text[:start] + text[end:] + text[start:end]
        elif kind == "splice":
            text = text[:start] + draw(st.sampled_from(TEXTS))[start:]
        else:
            lines = text.split("\n")
            line = draw(st.integers(0, len(lines) - 1))
            other = draw(st.integers(0, len(lines) - 1))
            if kind == "swap":
                lines[line], lines[other] = lines[other], lines[line]
            else:
                lines[line] = " " * draw(st.integers(0, 6)) + lines[line].lstrip()
            text = "\n".join(lines)
    return text


def check(text: str) -> None:
    """Load a text and check what holds for every outcome."""
    loaded, faults = load_with_faults(text)
    assert any(fault.severity == "error" for fault in faults) == (loaded is None)
    if loaded:
        assert load_text(loaded.text) == loaded
    if (
        loaded
        and loaded.train
        and grid.size(loaded.train.parameters, grid.Options()) < 1_000
    ):
        # Jobs of several processes need support by their framework.
        with suppress(UnsupportedError):
            size = grid.size(loaded.train.parameters, grid.Options())
            expected = loaded.train.experiments or size
            assert len(plan(loaded).experiments) == expected
    assert list(faults) == sorted(faults, key=lambda fault: (fault.line, fault.column))
    for fault in faults:
        check_fault(fault, text.removeprefix("\ufeff"))


def check_fault(fault: Fault, text: str) -> None:
    """A fault has a position in the text, or none and a reason; it can be printed anywhere."""
    assert fault.message
    assert (fault.line >= 1) == (fault.column >= 1)
    if fault.line:
        assert (
            fault.line
            <= text.count("\n")
            + text.count("\r")
            + sum(map(text.count, "\x85\u2028\u2029"))
            + 1
        )
        assert fault.column <= len(fault.source) + 1
    printed = str(fault)
    assert printed.encode()
    assert all(
        character.isprintable() or character in "\t\n" or ord(character) >= 0xA0
        for character in printed
    )
    assert "Traceback" not in printed


@given(mutated())
@settings(QUICK, max_examples=1_200)
def test_a_file_with_slips_is_loaded_or_refused(text: str) -> None:
    check(text)


@given(
    st.lists(st.sampled_from(PIECES) | st.text(max_size=4), max_size=30).map("".join)
)
@settings(QUICK, max_examples=500)
def test_nonsense_is_loaded_or_refused(text: str) -> None:
    check(text)


@given(
    st.binary(max_size=60)
    | mutated().map(lambda text: text.encode("utf-8", "surrogatepass"))
)
@settings(QUICK, max_examples=300, suppress_health_check=list(HealthCheck))
def test_any_bytes_are_loaded_or_refused(tmp_path: Path, content: bytes) -> None:
    file = tmp_path / "riseml.yml"
    file.write_bytes(content)
    text = content.decode("latin-1")
    try:
        faults = load(file).warnings
    except ConfigError as error:
        faults = error.faults
    for fault in faults:
        assert fault.file == str(file)
        check_fault(fault, text)


WORDS = st.sampled_from(
    ["ab", "x", "adam", "python fit.py", "{{a}}", "A_B", "oom", "{{item}}"]
)
NUMBERS = st.sampled_from([1, 2, 3, 0.5, 1.5, 1e-6, 64, 512, 2**20])
ODD: st.SearchStrategy[Any] = st.sampled_from(
    [
        "",
        "a.b",
        "1",
        "true",
        "yes",
        "500m",
        "5m",
        "4Gi",
        "4GB",
        "1h",
        "0s",
        "90",
        "a b",
        "../x",
        "a\n",
        "\x07",
        "2d",
        "path",
    ]
) | st.sampled_from(
    [
        0,
        -1,
        0.001,
        1.0,
        2**40,
        1e300,
        True,
        False,
        None,
        [],
        {},
        [[]],
        [1, "a"],
        [True],
        {"range": {}},
    ]
)
COUNT = st.integers(1, 3)


def record(
    required: dict[str, st.SearchStrategy[Any]], **optional: st.SearchStrategy[Any]
) -> st.SearchStrategy[Any]:
    """A mapping with some of the optional keys."""
    return st.fixed_dictionaries(required, optional=optional)


RESOURCES = record(
    {},
    cpus=st.sampled_from([1, 0.5, "0.5", "500m"]),
    mem=st.sampled_from([512, 0.01, "4Gi", ".5G"]),
    gpus=st.integers(0, 2),
)
WORKERS = COUNT | record({"count": COUNT}, processes=COUNT | st.none())
ROLE = COUNT | record({}, count=COUNT, resources=RESOURCES)
CHIEF = st.sampled_from(["master", "chief", None])
DISTRIBUTED = record(
    {},
    ps=st.just(0) | ROLE,
    worker=ROLE,
    master=record({}, resources=RESOURCES),
    chief=CHIEF,
)
TENSORFLOW = record(
    {},
    version=st.sampled_from(["1.8.0", "latest", "1.5.0-gpu-py3", None]),
    tensorboard=st.booleans(),
    distributed=st.none() | DISTRIBUTED,
    horovod=st.none()
    | st.just({})
    | record({"workers": WORKERS}, version=st.just("0.11.3")),
)
RANGE = record({"min": NUMBERS, "max": NUMBERS, "step": NUMBERS}, log=st.booleans())
NESTED = st.recursive(
    st.none() | st.booleans() | NUMBERS | WORDS,
    lambda values: (
        st.lists(values, max_size=2) | st.dictionaries(WORDS, values, max_size=2)
    ),
    max_leaves=4,
)
VALUES = (
    WORDS
    | NUMBERS
    | st.lists(NUMBERS, min_size=1, max_size=3)
    | st.lists(st.just("x"), min_size=1)
    | record({"range": RANGE})
    | st.lists(NESTED, min_size=1, max_size=3)
)
NAMES = st.sampled_from(["a", "b-c", "b_c", "sub", "path", "a.b"])
TRAIN = record(
    {
        "image": st.sampled_from(["python", "python:3.12", "a/b@sha256:" + "0" * 64]),
        "resources": RESOURCES,
        "run": WORDS | st.lists(WORDS, max_size=3),
    },
    install=WORDS | st.lists(WORDS, max_size=2),
    framework=st.sampled_from(["tensorflow", "pytorch", "jax", "mpi", "horovod"]),
    tensorflow=TENSORFLOW,
    pytorch=record(
        {}, version=st.just("2.4.0"), workers=WORKERS, tensorboard=st.booleans()
    ),
    mpi=record({}, workers=WORKERS),
    parameters=st.none() | st.dictionaries(NAMES, VALUES, max_size=3),
    experiments=st.lists(
        st.fixed_dictionaries({"a": NESTED, "b-c": NESTED}), min_size=1, max_size=3
    ),
    concurrency=COUNT,
    env=st.dictionaries(
        st.sampled_from(["A", "B_C"]), WORDS | NUMBERS | st.booleans(), max_size=2
    ),
    secrets=st.lists(st.sampled_from(["KEY", "A"]), max_size=2, unique=True),
    timeout=st.sampled_from([90, "1h", "1h30m", "2d"]),
    retries=st.integers(0, 3)
    | record({"count": COUNT}, on=st.sampled_from(["oom", ["error", "oom"], []])),
    gang_timeout=st.just("5m"),
    build_files=st.sampled_from(["setup.py", ["a", "b/c"]]),
    results=st.sampled_from(["loss", ["a", "b c"], {}])
    | st.dictionaries(
        NAMES,
        st.sampled_from(["min", "max"])
        | record({}, mode=st.just("min"), pattern=st.just(r"loss (\S+)")),
        max_size=2,
    ),
)
FILE = record({"project": st.sampled_from(["ab", "a_b-c", "12"]), "train": TRAIN})


@st.composite
def with_slips(draw: st.DrawFn, slips: int) -> Any:
    """A valid file in which some values become odd ones, or keys appear or vanish."""
    data = deepcopy(draw(FILE))
    for _ in range(slips):
        container, key = draw(st.sampled_from(list(entries(data))))
        kind = draw(st.sampled_from(["odd", "odd", "odd", "gone", "dashed", "more"]))
        if kind == "odd":
            container[key] = deepcopy(draw(ODD))
        elif kind == "gone":
            del container[key]
        elif isinstance(container, dict):
            name = "unknown" if kind == "more" else key.replace("_", "-")
            container[name] = container[key]
        if not data:
            break
    return data


def entries(data: Any) -> Iterator[tuple[Any, Any]]:
    """Yield every container with each of its keys."""
    for key in list(data) if isinstance(data, dict) else range(len(data)):
        yield data, key
        if isinstance(data[key], dict | list):
            yield from entries(data[key])


# Three tests instead of one, so that none takes more than a few seconds: on a machine
# with twenty times more work than processors, the time limit of a test is soon reached.
@pytest.mark.parametrize("slips", [0, 1, 2])
@given(draws=st.data())
@settings(QUICK, max_examples=350)
def test_schema_and_loader_agree(slips: int, draws: st.DataObject) -> None:
    data = draws.draw(with_slips(slips))
    text = json.dumps(data, ensure_ascii=False)
    _, faults = load_with_faults(text)
    assert not schema_disagreement(faults, data), text
    for fault in faults:
        check_fault(fault, text)


@given(
    st.dictionaries(
        st.text("abc-", min_size=1),
        st.lists(st.text(max_size=2), min_size=1, max_size=3).map(tuple),
        max_size=4,
    )
)
@settings(QUICK, max_examples=200)
def test_a_grid_contains_every_combination_once_and_in_order(
    parameters: dict[str, tuple[str, ...]],
) -> None:
    trials = grid.trials(parameters, grid.Options())
    assert len(trials) == grid.size(parameters, grid.Options())
    assert all(list(trial) == list(parameters) for trial in trials)
    if not all(
        len(set(map(id, values))) == len(values) for values in parameters.values()
    ):
        # Equal texts may be one object, whose position in the list is ambiguous.
        return
    positions = []
    for trial in trials:
        positions.append(
            [position_of(value, parameters[name]) for name, value in trial.items()]
        )
    assert positions == sorted(positions)


def position_of(value: object, values: Iterable[str]) -> int:
    """Return the index of the same object in a list."""
    return next(index for index, other in enumerate(values) if other is value)
