"""Values beyond scalars, listed experiments, and tables of experiments."""

import json
from pathlib import Path

import pytest

from riseml import config, planner
from riseml.errors import ConfigError

HEAD = 'project: toaster-net\ntrain:\n  image: python:3.12\n  run: fit "$LR" $HIDDEN\n'


def experiments(text: str, *parameters: str) -> list[dict[str, str]]:
    """Return the parameters of all experiments; the recorded text stands for the same."""
    loaded = config.load_text(HEAD + text, parameters=parameters)
    assert not loaded.warnings
    recorded = config.load_text(loaded.text)
    assert recorded.train == loaded.train
    return [dict(item.parameters) for item in planner.plan(loaded).experiments]


def faults(text: str, *parameters: str) -> list[str]:
    """Return `LINE:COLUMN: message | advice` of all errors."""
    with pytest.raises(ConfigError) as caught:
        config.load_text(HEAD + text, parameters=parameters)
    return [
        f"{fault.line}:{fault.column}: {fault.message} | {fault.advice}"
        for fault in caught.value.faults
        if fault.severity == "error"
    ]


@pytest.mark.parametrize(
    ("value", "texts"),
    [
        ("[[64, 64], [128]]", ["[64,64]", "[128]"]),
        ("[[]]", ["[]"]),
        ("[{name: sgd, lr: 1e-4}]", ['{"name":"sgd","lr":1e-4}']),
        ("[[0x10, .5, +1, 1., 0o17]]", ["[16,0.5,1,1.0,15]"]),
        ("[[True, ~, null, yes]]", ['[true,null,null,"yes"]']),
        ("[['a \"b\"', ü]]", ['["a \\"b\\"","ü"]']),
        ("[{<<: {a: 1}, b: 2}]", ['{"b":2,"a":1}']),
        ("null", ["null"]),
        ("~", ["null"]),
        ("[1, null]", ["1", "null"]),
        ("true", ["true"]),
    ],
)
def test_values_that_are_no_text_or_number(value: str, texts: list[str]) -> None:
    trials = experiments(f"  parameters: {{lr: {value}, hidden: 1}}\n")
    assert [trial["lr"] for trial in trials] == texts
    for text in texts:
        json.loads(text)


def test_nested_values_on_a_command_line() -> None:
    grid = "  parameters: {lr: 1, hidden: 1}\n"
    trials = experiments(grid, "lr=[64,64],[128]", "hidden=null")
    assert [(trial["lr"], trial["hidden"]) for trial in trials] == [
        ("[64,64]", "null"),
        ("[128]", "null"),
    ]
    # As in the file, a list is a list of values.
    assert [trial["lr"] for trial in experiments(grid, "lr=[64,128]")] == ["64", "128"]


@pytest.mark.parametrize(
    ("value", "fault"),
    [
        ("[['{{b}}']]", "5:22: a value of train.parameters.lr contains '{{'"),
        ("[[.inf]]", "5:22: the number .inf in train.parameters.lr has no JSON form"),
        ("[[.nan]]", "5:22: the number .nan in train.parameters.lr has no JSON form"),
        ("[&b [*b]]", "5:21: a value of train.parameters.lr is too large"),
        ("[{a: 1, a: 2}]", "5:28: duplicate key 'a' in train.parameters.lr"),
        ("", "5:20: train.parameters.lr is empty"),
        ("{name: sgd}", "5:20: train.parameters.lr is a mapping, but neither a range"),
    ],
)
def test_values_that_are_refused(value: str, fault: str) -> None:
    assert faults(f"  parameters: {{lr: {value}, hidden: 1}}\n")[0].startswith(fault)


def test_a_misspelt_distribution_is_no_value() -> None:
    (fault,) = faults("  parameters: {lr: {unifrom: [0, 1]}, hidden: 1}\n")
    assert fault.endswith("| Did you mean 'uniform'?")


def test_listed_experiments_run_as_they_are() -> None:
    text = "  experiments:\n    - {lr: 0.1, hidden: 16}\n    - {hidden: [64, 64], lr: 1e-2}\n"
    assert experiments(text) == [
        {"lr": "0.1", "hidden": "16"},
        {"lr": "1e-2", "hidden": "[64,64]"},
    ]
    assert experiments(text, "lr=0.5") == [
        {"lr": "0.5", "hidden": "16"},
        {"lr": "0.5", "hidden": "[64,64]"},
    ]


@pytest.mark.parametrize(
    ("text", "fault"),
    [
        ("[{lr: 1, hidden: 2}, {lr: 1}]", "5:37: experiment 2 has no 'hidden'"),
        (
            "[{lr: 1, hidden: 2}, {lr: 1, hidden: 2, hiden: 3}]",
            "5:56: only experiment 2 has 'hiden' | Did you mean 'hidden'?",
        ),
        ("[{lr: 1}, 3]", "5:26: experiment 2 must be a mapping, not the number 3"),
        ("[]", "5:16: train.experiments must be a list of mappings"),
        ("{lr: 1}", "5:16: train.experiments must be a list of mappings"),
        (
            "[{lr: 1}]\n  parameters: {hidden: 1}",
            "6:3: parameters and experiments cannot be used together",
        ),
        (
            "[{lr: 1}]\n  search: grid",
            "6:3: search and experiments cannot be used together",
        ),
        ("[{lr: 1, PATH: 2}]", "5:25: a parameter cannot be called 'PATH'"),
    ],
)
def test_lists_of_experiments_that_are_refused(text: str, fault: str) -> None:
    assert faults(f"  experiments: {text}\n")[0].startswith(fault)


def test_listed_experiments_get_single_values() -> None:
    text = "  experiments: [{lr: 1, hidden: 2}]\n"
    assert faults(text, "lr=1,2", "hiden=1") == [
        "0:0: the experiments are listed, so lr needs a single value | Write for example lr=1.",
        "0:0: riseml.yml declares no parameter 'hiden' | Did you mean 'hidden'?",
    ]


TABLE = "  # all\n  parameters: {file: cells.csv}\n  timeout: 1h  # each\n"


def write(folder: Path, cells: str) -> Path:
    """Write a riseml.yml and its table."""
    (folder / "cells.csv").write_text(cells)
    file = folder / "riseml.yml"
    file.write_text(HEAD + TABLE)
    return file


def test_a_table_is_a_list_of_experiments(tmp_path: Path) -> None:
    file = write(tmp_path, 'lr,hidden\n0.1,16\n\n1e-3, "[64, 64]"\nnull,"a,b"\n')
    loaded = config.load(file)
    assert loaded.text == (
        f"{HEAD}  # all\n  experiments:\n    - {{lr: 0.1, hidden: 16}}\n"
        "    - {lr: 1e-3, hidden: [64, 64]}\n    - {lr: null, hidden: 'a,b'}\n  timeout: 1h  # each\n"
    )
    recorded = config.load_text(loaded.text)
    assert recorded.train == loaded.train
    assert [dict(item.parameters) for item in planner.plan(recorded).experiments] == [
        {"lr": "0.1", "hidden": "16"},
        {"lr": "1e-3", "hidden": "[64,64]"},
        {"lr": "null", "hidden": "a,b"},
    ]


@pytest.mark.parametrize(
    ("cells", "fault"),
    [
        ("lr,hidden\n0.1\n", "cells.csv:2:1: this line has 1 values"),
        ("lr,hidden\n1,2\n1,[6\n", "cells.csv:3:3: did not find expected ',' or ']'"),
        ("lr,hidden\n1,{{x}}\n", "cells.csv:2:3: a value of train.parameters.hidden"),
        ("lr,hidden\n1,\n", "cells.csv:2:3: a value of train.parameters.hidden must"),
        ("lr,hidden,PATH\n1,2,3\n", "cells.csv:1:11: a parameter cannot be called"),
        ("lr,hid den\n1,2\n", "cells.csv:1:4: the name 'hid den'"),
        ("lr,lr\n1,2\n", "cells.csv:1:4: duplicate key 'lr'"),
        ("lr,hidden\n", "cells.csv:1:1: the table has no experiments"),
        ('lr\n"a\n', "cells.csv:2:1: this is not CSV: unexpected end of data"),
        ("lr\n\0\n", "cells.csv:2:1: the file contains a NUL byte"),
    ],
)
def test_faults_of_a_table_have_its_positions(
    tmp_path: Path, cells: str, fault: str
) -> None:
    with pytest.raises(ConfigError) as caught:
        config.load(write(tmp_path, cells))
    first = next(item for item in caught.value.faults if item.severity == "error")
    described = f"{first.file}:{first.line}:{first.column}: {first.message}"
    assert described.startswith(fault)


def test_an_empty_table(tmp_path: Path) -> None:
    with pytest.raises(ConfigError) as caught:
        config.load(write(tmp_path, ""))
    assert caught.value.faults[0].message == "cells.csv: the table is empty"


def test_a_missing_table_is_reported_where_it_is_named(tmp_path: Path) -> None:
    file = write(tmp_path, "")
    (tmp_path / "cells.csv").unlink()
    with pytest.raises(ConfigError) as caught:
        config.load(file)
    (fault,) = caught.value.faults
    assert (fault.line, fault.column, fault.message) == (
        6,
        22,
        "cells.csv: the file does not exist",
    )


def test_a_parameter_may_be_called_file() -> None:
    text = "  parameters: {file: [cells.csv], lr: 1, hidden: 1}\n"
    loaded = config.load_text(HEAD + text)
    assert loaded.train is not None
    assert loaded.train.parameters["file"] == ("cells.csv",)


def test_names_with_dots_are_variables_and_placeholders() -> None:
    text = HEAD.replace("$HIDDEN", "$MODEL_LR {{model.lr}} ${{ matrix.os }}")
    loaded = config.load_text(f"{text}  parameters: {{model.lr: 1, lr: 2}}\n")
    assert not loaded.warnings
    with pytest.raises(ConfigError, match=r"'m.lr' and 'm-lr' would both be \$M_LR"):
        config.load_text(f"{text}  parameters: {{m.lr: 1, m-lr: 2}}\n")


def test_a_name_is_no_part_of_another_one() -> None:
    (fault,) = faults("  parameters: {lr: 1, hidden: 1, model: 1, model.lr: 2}\n")
    assert fault.startswith("5:44: 'model' and 'model.lr' cannot be used together")
