"""Holders of API keys: whether a submitter is one."""

from riseml.status import key_holder


def test_the_holder_of_a_key_is_recognized() -> None:
    account = "system:serviceaccount:riseml-paul:riseml-user"
    assert key_holder.is_key(account, "paul")
    assert not key_holder.is_key(account, "ida")
    assert not key_holder.is_key("paul", "paul")
