"""The recorded verdicts of the official Java validator on its own published R4 cases are ours too."""

from __future__ import annotations

from collections import Counter
from pathlib import Path
from typing import Any

import pytest
import yaml

from contracts.conformance.fetch import cases

from .cases import Question, answered, questions

pytestmark = pytest.mark.slow

RECORD: dict[str, Any] = yaml.safe_load((Path(__file__).parent / "test_cases.yaml").read_text())
NO_QUESTION = {name: reason for reason, listed in RECORD["excluded"].items() for name in listed["cases"]}
DIFFERING: dict[str, str] = RECORD["differing"]
LEAST = 0.9
"""Of the illegal resources that need nothing out of scope, the part that has to be refused."""


@pytest.fixture(scope="module")
def published() -> list[Question]:
    return questions(cases())


@pytest.fixture(scope="module")
def asked(published: list[Question]) -> list[Question]:
    return [q for q in published if not q.excluded and q.name not in NO_QUESTION]


@pytest.fixture(scope="module")
def refused(asked: list[Question]) -> dict[str, bool]:
    """Whether each case is refused here."""
    return {question.name: bool(answered(question)) for question in asked}


def test_every_legal_case_is_let_in(asked: list[Question], refused: dict[str, bool]) -> None:
    assert [q.name for q in asked if q.legal and refused[q.name]] == []


def test_illegal_cases_are_refused_but_for_those_told_here(asked: list[Question], refused: dict[str, bool]) -> None:
    assert {q.name for q in asked if not q.legal and not refused[q.name]} == DIFFERING.keys()


def test_nine_of_ten_illegal_cases_are_refused(asked: list[Question], refused: dict[str, bool]) -> None:
    illegal = [q for q in asked if not q.legal]
    assert sum(refused[q.name] for q in illegal) >= LEAST * len(illegal)


def test_what_is_no_question_is_counted_by_reason(published: list[Question]) -> None:
    counted = Counter(q.excluded or NO_QUESTION.get(q.name, "asked") for q in published)
    assert dict(counted) == RECORD["counts"]


def test_every_name_in_the_record_is_a_case_of_the_manifest(published: list[Question]) -> None:
    open_to_us = {q.name for q in published if not q.excluded}
    assert (NO_QUESTION.keys() | DIFFERING.keys()) - open_to_us == set()
    assert NO_QUESTION.keys() & DIFFERING.keys() == set()
