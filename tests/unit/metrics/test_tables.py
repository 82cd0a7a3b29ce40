"""CSV files: of the loggers of frameworks, and of data that is no metric."""

from hypothesis import given
from hypothesis import strategies as st

from riseml.metrics.tables import NOTHING_TO_READ, TableReader


def read(text: str, *, needs_steps: bool = False) -> TableReader:
    reader = TableReader(bool, needs_steps=needs_steps)
    data = text.encode()
    assert reader.consume(data, is_end=True) == len(data)
    return reader


def test_lightnings_logger_leaves_cells_empty() -> None:
    series = read(
        "epoch,step,train_loss,val_loss\n0,49,0.75,\n0,49,,0.5\n1,99,0.25,\n1,99,,0.6\n"
    ).series
    assert series["val_loss"].least == (0.5, 49)
    assert series["val_loss"].last == (0.6, 99)
    assert series["train_loss"].last == (0.25, 99)


def test_yolo_pads_the_names_of_columns() -> None:
    series = read(
        "                  epoch,      metrics/mAP50(B),          val/box_loss\n"
        "                      1,               0.61033,                1.2\n"
    ).series
    assert series["metrics/mAP50(B)"].last == (0.61033, 1)
    assert series["val/box_loss"].last == (1.2, 1)


def test_other_separators_quotes_and_byte_order_marks_are_read() -> None:
    assert read("epoch;loss\r\n1;0.5\r\n").series["loss"].last == (0.5, 1)
    assert read("epoch\tloss\n1\t0.5\n").series["loss"].last == (0.5, 1)
    assert read('\ufeff"epoch","a, b"\n1,0.5\n').series["a, b"].last == (0.5, 1)


def test_data_without_steps_is_not_read() -> None:
    reader = TableReader(bool, needs_steps=True)
    assert reader.consume(b"id,loss\n1,0.5\n") == NOTHING_TO_READ
    assert reader.series == {}
    assert read("epoch,loss\n1,0.5\n", needs_steps=True).series["loss"].last == (0.5, 1)
    assert read("id,loss\n1,0.5\n").series["loss"].last == (0.5, None)


def test_a_new_header_starts_over() -> None:
    old = b"step,loss\n1,0.5\n"
    new = b"step,acc,loss\n1,,0.5\n2,0.9,\n"
    reader = TableReader(bool)
    assert reader.begin(0, lambda start, size: b"") == 0
    reader.consume(old)
    assert reader.begin(len(old), lambda start, size: old[start : start + size]) == 16
    assert reader.begin(len(old), lambda start, size: new[start : start + size]) == 0
    reader.consume(new)
    assert reader.series["acc"].last == (0.9, 2)
    assert reader.series["loss"].last == (0.5, 1)


TEXT = "epoch,loss,ä\n1,0.5,\n2,nan,7\n\n3,x,8\n".encode()


@given(st.lists(st.integers(1, 12), max_size=20))
def test_any_split_gives_the_same(sizes: list[int]) -> None:
    reader = TableReader(bool)
    offset = end = 0
    for size in (*sizes, len(TEXT)):
        end = min(end + size, len(TEXT))
        offset += reader.consume(TEXT[offset:end])
        restored = TableReader(bool)
        restored.restore(reader.to_data())
        reader = restored
    at_once = read(TEXT.decode())
    assert repr(reader.series) == repr(at_once.series)
    assert at_once.series["ä"].last == (8, 3)
    assert at_once.series["loss"].least == (0.5, 1)
