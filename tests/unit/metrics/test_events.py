"""Scalars of event files: all kinds of writers, torn ends, long events."""

import struct

import pytest
from hypothesis import given
from hypothesis import strategies as st

from riseml.metrics.events import EventReader, masked_crc
from tests.unit.metrics import event_files as write


def read(data: bytes) -> EventReader:
    reader = EventReader(lambda tag: True)
    assert reader.consume(data) == len(data)
    return reader


def test_the_checksum_is_that_of_the_format() -> None:
    # The header of the first record that every TensorFlow writes (24 bytes follow).
    header = bytes.fromhex("1800000000000000a37f4b22")
    assert masked_crc(header[:8]) == struct.unpack("<I", header[8:])[0]


def test_simple_values_have_steps_and_the_digits_that_were_written() -> None:
    data = write.VERSION
    for step, value in ((0, 0.5), (10, 0.1), (20, 0.3)):
        data += write.event(step, write.simple("val_loss", value))
    series = read(data).series["val_loss"]
    reader = read(data)
    assert series.least is not None
    assert series.last is not None
    assert (reader.exact(series.least[0]), series.least[1]) == (0.1, 10)
    assert (reader.exact(series.last[0]), series.last[1]) == (0.3, 20)
    assert series.greatest == (0.5, 0)


@pytest.mark.parametrize(
    ("dtype", "field", "value"),
    [
        (1, write.blob(4, struct.pack("<f", 0.25)), 0.25),
        (1, write.blob(5, struct.pack("<f", 0.25)), 0.25),
        (1, write.varint(5 << 3 | 5) + struct.pack("<f", 0.25), 0.25),
        (2, write.blob(4, struct.pack("<d", 0.1)), 0.1),
        (2, write.blob(6, struct.pack("<d", 0.1)), 0.1),
        (3, write.blob(7, write.varint(-3)), -3),
        (9, write.integer(10, 5), 5),
        (9, write.blob(4, struct.pack("<q", -7)), -7),
        (14, write.blob(13, write.varint(0x3E80)), 0.25),
        (19, write.blob(13, write.varint(0x3400)), 0.25),
        (19, write.blob(4, struct.pack("<e", 0.25)), 0.25),
    ],
)
def test_tensors_without_dimensions_are_numbers(
    dtype: int, field: bytes, value: float
) -> None:
    reader = read(write.event(3, write.tensor("acc", dtype, field)))
    assert reader.series["acc"].last == (value, 3)


def test_other_values_are_not_numbers() -> None:
    text = write.tensor("text", 7, write.blob(8, b"hello"))
    vector = write.tensor(
        "vector",
        1,
        write.blob(4, struct.pack("<ff", 1, 2)),
        shape=write.blob(2, write.integer(1, 2)),
    )
    histogram = write.blob(1, b"histogram") + write.blob(5, b"")
    assert read(write.event(1, text, vector, histogram)).series == {}


def test_a_torn_end_is_read_when_it_is_complete() -> None:
    data = write.VERSION + write.event(1, write.simple("loss", 0.5))
    for end in range(len(write.VERSION), len(data)):
        reader = EventReader(bool)
        assert reader.consume(data[:end]) == len(write.VERSION)
        assert reader.series == {}
        # Some file systems show zeros where the data is still to come.
        zeros = data[:end] + bytes(len(data) - end)
        if zeros != data:
            assert EventReader(bool).consume(zeros) == len(write.VERSION)


def test_a_long_event_is_skipped_without_being_read() -> None:
    graph = write.record(write.blob(4, bytes(2 << 20)))
    data = graph + write.event(1, write.simple("loss", 0.5))
    reader = EventReader(bool)
    assert reader.consume(data[:100]) == len(graph)
    assert reader.consume(data[len(graph) :]) == len(data) - len(graph)
    assert reader.series["loss"].last == (0.5, 1)


def test_a_damaged_event_hides_no_other() -> None:
    data = write.record(b"\xff\xff") + write.event(1, write.simple("loss", 0.5))
    assert read(data).series["loss"].last == (0.5, 1)


def test_tags_that_no_metric_means_are_not_kept() -> None:
    reader = EventReader(lambda tag: tag == "b")
    reader.consume(write.event(1, write.simple("a", 1), write.simple("b", 2)))
    assert list(reader.series) == ["b"]


@given(st.lists(st.integers(1, 60), max_size=20))
def test_any_split_gives_the_same(sizes: list[int]) -> None:
    data = write.VERSION
    for step in range(8):
        data += write.event(step, write.simple("a", step / 3), write.simple("b", -step))
    reader = EventReader(bool)
    offset = end = 0
    for size in (*sizes, len(data)):
        end = min(end + size, len(data))
        offset += reader.consume(data[offset:end])
    assert offset == len(data)
    assert reader.series == read(data).series
