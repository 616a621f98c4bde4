"""The letter a referrer gets: everything the referral says, on one page, in words that can be selected."""

from __future__ import annotations

import re
from dataclasses import replace
from typing import Any

import pytest

from services.intake.answers.letter import LONGEST, Letter, letter
from services.intake.answers.pdf import pdf
from services.intake.answers.telling import OpenAnswer, answer_id
from shared.core import Resource
from tests.services.intake.reports import concept, said, visit


def letter_of(desk: Any) -> Letter:
    communication: Resource = desk.held[f"Communication/{answer_id(desk.referral)}"]
    return letter(OpenAnswer(desk.referral, communication), desk.held, desk.policy.site)


def section(found: Letter, beginning: str) -> tuple[str, ...]:
    return next((lines for title, lines in found.sections if title.startswith(beginning)), ())


def text_of(content: bytes) -> str:
    """The text of a PDF whose pages are not compressed, as the strings it shows."""
    shown = re.findall(rb"\(((?:[^()\\]|\\.)*)\) Tj", content)
    return " ".join(re.sub(rb"\\([()\\])", rb"\1", s).decode("latin-1") for s in shown)


def pages(content: bytes) -> int:
    return len(re.findall(rb"/Type /Page\b", content))


def test_the_letter_names_every_gap_and_what_would_be_right(desk: Any, example: Any) -> None:
    desk.push(example("incomplete"))
    found = letter_of(desk)
    assert len(section(found, "What is missing")) == len(desk.missing)
    assert found.status.startswith("On hold (accepted")
    assert found.reason.startswith("Information missing: ")
    about = dict(found.about)
    assert about["Your referral"] == desk.referral["identifier"][0]["value"]
    assert desk.one("Patient")["name"][0]["family"] in about["Patient"]


def test_the_letter_tells_authorization_visits_and_questions(desk: Any, example: Any) -> None:
    desk.push(example("iron-meets-criteria"))
    outputs = [
        {"type": concept("preauthorization-output", "number"), "valueString": "PH-1"},
        {
            "type": concept("preauthorization-output", "period"),
            "valuePeriod": {"start": "2026-11-24", "end": "2027-02-22"},
        },
    ]
    asked = concept("question", "requirement-lost")
    site = {"actor": {"identifier": {"system": "https://carepod.example/id/site", "value": "riverside"}}}
    desk.hear(
        said(desk, "preauthorization", "completed", "approved", output=outputs),
        said(desk, "scheduling-question", "requested", input=[{"type": asked, "valueString": "Is it kept?"}]),
        visit(desk, 1, "booked", start="2026-11-24T15:00:00Z", participant=[site]),
        visit(desk, 2, "proposed"),
    )
    found = letter_of(desk)
    assert section(found, "Authorization") == ("Number PH-1, from November 24, 2026 to February 22, 2027",)
    when = "Tuesday, November 24, 2026, 09:00 (America/Chicago), Riverside Infusion Center: booked"
    assert section(found, "Visits") == (when,)
    assert section(found, "Open questions") == ("Is it kept?",)
    assert found.status == "In progress (a visit is scheduled, 5.1.1)"


def test_a_home_visit_is_at_home(desk: Any, example: Any) -> None:
    desk.push(example("iron-meets-criteria"))
    desk.hear(visit(desk, 1, "booked", start="2026-11-24T15:00:00Z"))
    assert "at the patient's home: booked" in section(letter_of(desk), "Visits")[0]


def test_the_same_letter_is_the_same_bytes_and_its_text_can_be_selected(desk: Any, example: Any) -> None:
    desk.push(example("incomplete"))
    found = letter_of(desk)
    content = pdf(found)
    assert content == pdf(found)
    assert content.startswith(b"%PDF-")
    assert pages(content) == 1
    text = text_of(content)
    assert found.reason.split(",")[0] in text
    assert "What is missing, and what would be right" in text


def test_another_answer_is_another_letter(desk: Any, example: Any) -> None:
    desk.push(example("incomplete"))
    found = letter_of(desk)
    assert pdf(found) != pdf(replace(found, reference="in-2/2"))


def test_the_properties_of_the_file_say_nothing_of_the_patient(desk: Any, example: Any) -> None:
    desk.push(example("incomplete"))
    content = pdf(letter_of(desk))
    properties = content[content.rindex(b"/Author") : content.rindex(b"/Trapped")]
    family = desk.one("Patient")["name"][0]["family"].encode()
    assert family in content
    assert family not in properties


@pytest.mark.parametrize(
    "written, shown",
    [("Thị Nguyễn", "Thi Nguyen"), ("Łukasz 李", "Lukasz ?"), ("Ana <b>", " Ana < b >"), ("Zoë", "Zo\\353")],
)
def test_letters_the_font_lacks_never_stop_a_letter(written: str, shown: str, desk: Any, example: Any) -> None:
    desk.push(example("incomplete"))
    content = pdf(replace(letter_of(desk), about=(("Patient", written),)))
    assert shown in text_of(content)


def test_a_long_list_is_cut_with_how_many_more(desk: Any, example: Any) -> None:
    desk.push(example("iron-meets-criteria"))
    desk.hear(*(visit(desk, n, "booked", start=f"2026-12-{n:02}T15:00:00Z") for n in range(1, LONGEST + 3)))
    lines = section(letter_of(desk), "Visits")
    assert len(lines) == LONGEST + 1
    assert lines[-1] == "and 2 more; all of them are in the referral itself"


@pytest.mark.parametrize("words, expected", [(10, 1), (60, 1), (2000, 3)])
def test_a_letter_is_one_page_as_long_as_it_can_be_read(words: int, expected: int, desk: Any, example: Any) -> None:
    desk.push(example("incomplete"))
    long = (("What is missing, and what would be right", tuple("a word and another " * words for _ in range(3))),)
    content = pdf(replace(letter_of(desk), sections=long))
    assert pages(content) == 1 if expected == 1 else pages(content) > 1
