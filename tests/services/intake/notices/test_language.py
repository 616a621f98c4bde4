"""The words of notices: every language says every notice and therapy, and reads replies."""

from __future__ import annotations

import string

import pytest

from services.intake.notices.language import OWN, languages
from services.intake.notices.wanted import QUESTIONS, TO_CARERS
from shared.catalogue import drugs

NOTICES = {"welcome", "consent-request", "address-confirmation", "therapy-overview", "logistics"}


def blanks(text: str) -> set[str]:
    return {name for _, name, _, _ in string.Formatter().parse(text) if name}


@pytest.mark.parametrize("tag", sorted(languages()))
def test_a_language_says_every_notice_with_the_same_blanks_as_ours(tag: str) -> None:
    said, ours = languages()[tag].notices, languages()[OWN].notices
    assert set(said) == NOTICES
    for code in NOTICES:
        assert blanks(said[code]["subject"]) | blanks(said[code]["text"]) <= {
            "practice", "therapy", "about_therapy", "visits"
        }  # fmt: skip
        assert blanks(said[code]["text"]) == blanks(ours[code]["text"])


@pytest.mark.parametrize("tag", sorted(languages()))
def test_a_language_has_words_for_every_therapy_of_the_catalogue(tag: str) -> None:
    assert {d.therapy for d in drugs()} <= set(languages()[tag].therapies)


@pytest.mark.parametrize(
    "tag, text, meaning",
    [
        ("en", "YES", "yes"),
        ("en", " Yes! ", "yes"),
        ("en", "I  agree.", "yes"),
        ("en", "no", "no"),
        ("en", "STOP", "stop"),
        ("en", "yes but call me first", None),
        ("en", "", None),
        ("es", "Sí", "yes"),
        ("es", "¡Sí!", "yes"),
        ("es", "no acepto", "no"),
    ],
)
def test_only_a_plain_answer_is_read(tag: str, text: str, meaning: str | None) -> None:
    assert languages()[tag].meaning(text) == meaning


def test_questions_and_copies_are_of_notices_there_are() -> None:
    assert QUESTIONS | TO_CARERS <= NOTICES
