"""Order and number of the trials of a grid."""

from riseml.search.grid import Options, size, trials

OPTIONS = Options()


def test_last_name_varies_fastest() -> None:
    combinations = trials(
        {"lr-decay": ("0.5", "0.9"), "epochs": ("10", "20"), "lr": ("1e-6",)}, OPTIONS
    )
    # The names keep the order of the file.
    assert [list(trial) for trial in combinations] == [["lr-decay", "epochs", "lr"]] * 4
    assert [tuple(trial.values()) for trial in combinations] == [
        ("0.5", "10", "1e-6"), ("0.5", "20", "1e-6"), ("0.9", "10", "1e-6"), ("0.9", "20", "1e-6"),
    ]  # fmt: skip


def test_without_parameters_there_is_one() -> None:
    assert trials({}, OPTIONS) == [{}]
    assert size({}, OPTIONS) == 1


def test_equal_values_are_kept() -> None:
    assert trials({"a": ("1", "1")}, OPTIONS) == [{"a": "1"}, {"a": "1"}]
    assert size({"a": ("1", "1"), "b": ("x",) * 5}, OPTIONS) == 10
