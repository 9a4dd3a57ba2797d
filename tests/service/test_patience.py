"""Patience with an archive that is away ends, also with one that is there but never says anything."""

import time

import pytest

from nullsplat.core.errors import ArchiveError, ArchiveUnavailable
from nullsplat.dicomweb import retry
from nullsplat.dicomweb.retry import LastContact, retry_until_deadline

ENOUGH = 20


@pytest.fixture(autouse=True)
def short_pauses(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(retry, "FIRST_PAUSE", 0.01)
    monkeypatch.setattr(retry, "LONGEST_PAUSE", 0.05)


class Trying:
    """An action that fails each time, after the archive was silent or busy for longer than the longest pause."""

    def __init__(self, contact: LastContact | None = None) -> None:
        self.tries = 0
        self._contact = contact

    def __call__(self) -> None:
        self.tries += 1
        if self.tries == ENOUGH:
            raise ArchiveError("it would never have ended")
        time.sleep(0.1)
        if self._contact is not None:
            self._contact.note()
        raise ArchiveUnavailable("no answer")


def test_an_archive_that_is_silent_until_the_timeout_is_given_up() -> None:
    silent = Trying()
    with pytest.raises(ArchiveError, match="given up after 0 s"):
        retry_until_deadline(silent, 0.3, lambda why: None, LastContact())
    assert silent.tries < ENOUGH / 2


def test_an_archive_that_was_there_for_a_while_is_forgiven_another_absence() -> None:
    contact = LastContact()
    busy = Trying(contact)
    with pytest.raises(ArchiveError, match="it would never have ended"):
        retry_until_deadline(busy, 1.0, lambda why: None, contact)
