"""Explanations of ports that another process uses."""

import pytest

from riseml.diagnosis.evidence import Holder, Surroundings
from riseml.diagnosis.used_ports import complaints, used_port
from tests.unit.diagnosis.test_missing_files import why

LINE = "OSError: [Errno 98] Address already in use (while attempting to bind on address ('127.0.0.1', 29500))"
CHOOSE = (
    "Let the program listen at port 0, which is any free one, or at a port of the experiment's own:"
    " `$((29500 + ${EXPERIMENT_ID##*.}))`."
)
ONE = "Or run one experiment at a time: `concurrency: 1` under `train` in riseml.yml."
ISOLATE = "Or give each experiment a network of its own: `isolate_network: true` under `train` in riseml.yml."


@pytest.mark.parametrize(
    ("line", "port"),
    [
        (LINE, 29500),
        ("OSError: [Errno 98] Address already in use", 0),
        ("DistNetworkError: The server socket has failed to listen on any local network address. port: 29501", 29501),
        ("  port: 29501, useIpv6: false, code: -98, name: EADDRINUSE, message: address already in use", 29501),
        ("The server socket has failed to bind to [::]:29500 (errno: 98 - Address already in use).", 29500),
        ("Error: listen EADDRINUSE: address already in use :::3000", 3000),
        ("Port 5000 is in use by another program. Either identify and stop that program.", 5000),
        ("ERROR: [Errno 98] error while attempting to bind on ('0.0.0.0', 8000): address already in use", 8000),
        ("E0101 add_port.cc:83] Failed to add port: No address added out of total 1 resolved for '[::]:50051'", 50051),
        ("RuntimeError: Failed to bind to address [::]:50051; set GRPC_VERBOSITY=debug", 50051),
        ("TensorBoard could not bind to port 6006, it was already in use", 6006),
        ("listen tcp 127.0.0.1:8080: bind: address already in use", 8080),
        ("The port 8888 is already in use, stopping", 8888),
    ],
)  # fmt: skip
def test_messages_name_a_port(line: str, port: int) -> None:
    assert complaints([line]) == [line]
    assert used_port([line]) == port


def test_a_program_that_chose_another_port_did_not_fail_for_it() -> None:
    lines = ["The port 8888 is already in use, trying another port.", "KeyError: 'x'"]
    assert complaints(lines) == []


def test_the_experiment_that_holds_the_port_is_named() -> None:
    facts = Surroundings(holders={"14.train": Holder(29500, "13.2", "python p.py")})
    cause = why(LINE, surroundings=facts)
    assert (cause.kind, cause.explanation, cause.fix) == (
        "PORT",
        "port 29500 was in use by experiment 13.2, which ran on the same machine",
        (CHOOSE, ISOLATE),
    )
    assert cause.evidence == (LINE,)


def test_a_record_names_the_port_that_a_message_lacks() -> None:
    facts = Surroundings(holders={"14.train": Holder(29500, "13", "python p.py")})
    cause = why("OSError: [Errno 98] Address already in use", surroundings=facts)
    assert cause.explanation.startswith("port 29500 was in use by experiment 13,")


def test_another_program_is_named_by_its_command() -> None:
    facts = Surroundings(
        holders={"14.train": Holder(29500, "", "redis-server *:29500")}
    )
    cause = why(LINE, surroundings=facts)
    assert (cause.explanation, cause.fix) == (
        "port 29500 was in use by another program on this machine: redis-server *:29500",
        (CHOOSE,),
    )


def test_an_experiment_may_be_in_its_own_way() -> None:
    facts = Surroundings(holders={"14.train": Holder(29500, "14", "python p.py")})
    cause = why(LINE, surroundings=facts)
    assert (cause.explanation, cause.fix) == (
        "port 29500 was in use by another process of the same experiment",
        (CHOOSE,),
    )


def test_without_a_record_nobody_is_accused() -> None:
    cause = why(LINE)
    assert (cause.explanation, cause.fix) == (
        "port 29500 was in use by another program on this machine",
        (CHOOSE,),
    )
    assert why("OSError: [Errno 98] Address already in use").explanation == (
        "its port was in use by another program on this machine"
    )


def test_a_pod_has_its_own_network() -> None:
    cause = why(LINE, cluster=True)
    assert cause.explanation == (
        "port 29500 was in use by another process of the same pod"
    )
    (advice,) = cause.fix
    assert advice == (
        "Each pod has its own network. Let each process of the job listen at another port,"
        " or at port 0, which is any free one."
    )
