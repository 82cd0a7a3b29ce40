"""The page of all messages has errors of every kind, with their advice and exit status."""

import message_reference
from message_reference import KINDS, Message


def test_errors_have_their_advice_and_status() -> None:
    found = message_reference.error_messages()
    assert (
        Message("there is no run …", "`riseml status -a` lists all runs.", 4) in found
    )
    refused = [item for item in found if item.text.startswith("… can never start here")]
    assert [item.status for item in refused] == [1]
    assert "`riseml doctor` shows what RiseML found here" in refused[0].advice


def test_errors_of_single_modules_have_the_status_of_their_base() -> None:
    lost = "the local controller exited before answering"
    found = message_reference.error_messages()
    assert [item.status for item in found if item.text == lost] == [3]


def test_each_kind_has_messages() -> None:
    titles = [
        kind.title for kind in KINDS if len(message_reference.messages(kind)) > 30
    ]
    assert titles == [kind.title for kind in KINDS]


def test_the_order_does_not_depend_on_hashes() -> None:
    found = message_reference.error_messages()
    words = "… cannot be written: …"
    same = [item for item in found if item.text == words]
    assert len(same) > 1
    assert same == sorted(same)


def test_markup_in_advice_is_text() -> None:
    page = message_reference.markdown()
    assert "RISEML\\_HOME" in page
    for row in page.splitlines():
        if row.startswith("| "):
            assert row.replace("\\|", "").count("|") == 3, row
