"""Faults and merged mappings of a document."""

import pytest

from tests.riseml_yml import faults_of


def test_at_most_500_faults_are_listed() -> None:
    faults = faults_of("project: ab\n" + "".join(f"k{n}: x\n" for n in range(2_000)))
    assert len(faults) == 501
    assert faults[-1].message == "1,500 more like this are not listed"
    assert faults[-1].severity == "error"


def test_a_bomb_of_aliases_is_quick() -> None:
    lines = ["a0: &a0 {x: y}"] + [
        f"a{n}: &a{n} {{<<: [{', '.join([f'*a{n - 1}'] * 9)}], k{n}: 1}}"
        for n in range(1, 40)
    ]
    bomb = (
        "project: ab\ntrain:\n  env:\n"
        + "".join(f"    {line}\n" for line in lines)
        + "  parameters: *a39\n"
    )
    assert faults_of(bomb)
    lists = ["- &b0 [x]"] + [
        f"- &b{n} [{', '.join([f'*b{n - 1}'] * 9)}]" for n in range(1, 40)
    ]
    assert (
        len(
            faults_of(
                "project: ab\ntrain:\n  run:\n"
                + "".join(f"    {line}\n" for line in lists)
            )
        )
        < 200
    )


@pytest.mark.parametrize("length", [150, 5_000])
def test_a_long_chain_of_merges_is_refused(length: int) -> None:
    links = "".join(
        f"    A{n}: &a{n} {{K{n}: x, <<: *a{n - 1}}}\n" for n in range(1, length)
    )
    head = "project: ab\ntrain:\n  image: x\n  resources: {}\n  run: y\n  env: &a\n    B: &a0 {}\n"
    faults = faults_of(f"{head}{links}    <<: *a{length - 1}\n")
    assert any(
        "more than 100 mappings are merged into each other" in fault.message
        for fault in faults
    )
