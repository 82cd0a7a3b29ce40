"""Keys of Workflows in a home."""

import pytest

from riseml.engines.local import shard_keys, tables


@pytest.mark.parametrize("number", [1, 14, 10**9])
@pytest.mark.parametrize("shard", [1, 2, 1000])
def test_a_key_stands_for_number_and_index(number: int, shard: int) -> None:
    key = shard_keys.key_of(number, shard)
    assert (key > 0) == (shard == 1)
    assert (shard_keys.number_of(key), shard_keys.shard_of(key)) == (number, shard)


def test_further_workflows_lie_between_the_bounds_of_their_run() -> None:
    first, second = shard_keys.key_of(14, 2), shard_keys.key_of(14, 500)
    low, high = shard_keys.bounds(14)
    assert low < second < first < high
    assert not low < shard_keys.key_of(13, 2) < high
    assert not low < shard_keys.key_of(15, 2) < high
    # The database computes the same.
    assert str(1 << 20) in tables.SUMMARY


def test_logs_name_the_run() -> None:
    assert shard_keys.describe(14) == "14"
    assert shard_keys.describe(shard_keys.key_of(14, 3)) == "14 (Workflow 3)"
