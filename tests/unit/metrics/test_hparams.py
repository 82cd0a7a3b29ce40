"""Records for TensorBoard's HPARAMS tab: the bytes that TensorBoard itself would write."""

import subprocess
from pathlib import Path

import pytest

from riseml.metrics import hparams
from riseml.metrics.events import EventReader
from riseml.metrics.files import File
from riseml.metrics.wire import Message

# What TensorBoard 2.21 makes of `hparams_pb({"lr": 0.1}, trial_id="14.3", start_time_secs=1.0)`.
ORIGINAL = (
    "09000000000000f03f2a590a570a1c5f68706172616d735f2f73657373696f6e5f73746172745f69"
    "6e666f42060801120212004a2f0a2d0a0768706172616d7312221a200a0f0a026c72120911"
    "9a9999999999b93f220431342e3329000000000000f03f"
)


def events(data: bytes) -> list[bytes]:
    """Return the events of a file's records."""
    found, position = [], 0
    while position < len(data):
        length = int.from_bytes(data[position : position + 8], "little")
        found.append(data[position + 12 : position + 12 + length])
        position += length + 16
    return found


def values(parameters: dict[str, str]) -> dict[str, bytes]:
    """Return the encoded values of a session's parameters."""
    _, event = events(hparams.start("14.3", parameters, 1.0))
    message = Message(event)
    for number in (5, 1, 9, 1, 2, 3):
        message = Message(message.blobs(number)[0])
    entries = map(Message, message.blobs(1))
    return {entry.blobs(1)[0].decode(): entry.blobs(2)[0] for entry in entries}


def test_the_start_is_what_tensorboard_writes() -> None:
    version, event = events(hparams.start("14.3", {"lr": "0.1"}, 1.0))
    assert b"brain.Event:2" in version
    assert event.hex() == ORIGINAL


NUMBER, TEXT, TRUTH = 2, 3, 4


@pytest.mark.parametrize(
    ("text", "kind"),
    [
        ("0.1", NUMBER),
        ("16", NUMBER),
        ("1e-4", NUMBER),
        ("true", TRUTH),
        ("false", TRUTH),
        ("adam", TEXT),
        ("", TEXT),
        ("nan", TEXT),
        ("inf", TEXT),
        # Its column would show another number.
        ("100000000000000001", TEXT),
        ("1e22", NUMBER),
        ("[1, 2]", TEXT),
    ],
)
def test_values_are_numbers_truth_values_or_text(text: str, kind: int) -> None:
    (value,) = values({"x": text}).values()
    assert value[0] >> 3 == kind
    if kind == TEXT:
        assert value[2:] == text.encode()


@pytest.mark.parametrize("data", [hparams.start("14.3", {"lr": "0.1"}, 1.0)])
def test_readers_of_metrics_find_nothing_in_it(data: bytes) -> None:
    reader = EventReader(bool)
    assert reader.consume(data, is_end=True) == len(data)
    assert reader.consume(hparams.end(is_success=True), is_end=True)
    assert reader.series == {}


def test_the_end_is_text_for_printf(tmp_path: Path) -> None:
    for is_success in (True, False):
        data = hparams.end(is_success=is_success)
        for shell in ("sh", "bash"):
            command = f'printf "$1" > {tmp_path}/end'
            subprocess.run(
                [shell, "-c", command, shell, hparams.octal(data)], check=True
            )
            assert (tmp_path / "end").read_bytes() == data


def test_the_names_of_the_files_come_first_and_last() -> None:
    trainer = "events.out.tfevents.1764316800.host.1.0"
    assert hparams.START_FILE < trainer < hparams.END_FILE


@pytest.mark.parametrize("name", [hparams.START_FILE, hparams.END_FILE])
def test_the_files_are_no_source_of_metrics(name: str) -> None:
    assert File(name, 1, 0.0).kind is None
    assert hparams.is_own(name)
