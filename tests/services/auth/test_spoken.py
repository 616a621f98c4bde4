"""An approval by telephone: who said it when is kept, and policy says whether it stands before the payer's letter."""

from __future__ import annotations

from datetime import timedelta
from typing import Any

import pytest

from services.auth.words import ANSWER
from shared.core import reference
from tests.services.auth.journey import Journey, claim_answer
from tests.services.auth.patient import NOW, appointment, coded
from tests.services.auth.test_appeals import NUMBER, PERIOD, UNITS, says
from tests.services.auth.test_decision_clocks import looked, pended, statement
from tests.services.auth.test_never_silent import open_questions, the_open

WHO = {"type": coded(ANSWER, "spoken-with"), "valueString": "Ms. Ortiz, utilization review"}
WHEN = {"type": coded(ANSWER, "spoken-at"), "valueDateTime": "2026-11-22T09:30:00-06:00"}
SAID = (NUMBER, PERIOD, UNITS, WHO, WHEN)


def due(line: str = "medicare-advantage", priority: str = "urgent") -> Journey:
    """A pended request shortly before its clock runs out."""
    more = (statement(),) if priority == "urgent" else ()
    journey = pended(line, priority, NOW, *more)
    (wake,) = journey.decisions[-1].wakes.values()
    assert wake is not None
    return looked(journey, wake)


def test_where_it_counts_an_expedited_approval_by_telephone_stands_and_its_letter_is_awaited() -> None:
    journey = due()
    said = says(journey, the_open(journey), "verbally-approved", *SAID)
    assert said.reason == "preauthorization-approved"
    assert (journey.status, journey.outputs("number")) == (("approved", "completed"), ["PH-OVERTURNED"])
    assert journey.task["restriction"]["period"]["end"] == "2026-11-22T10:00:00-06:00"
    journey.hears(appointment())
    assert journey.one("ChargeItem")["status"] == "planned"
    assert open_questions(looked(journey, NOW + timedelta(hours=24))) == ["payer-late"]


def test_where_it_does_not_count_it_is_kept_and_nothing_stands_yet() -> None:
    journey = due("commercial", "routine")
    question = the_open(journey)
    says(journey, question, "verbally-approved", *SAID)
    assert (journey.status, journey.outputs("number")) == (("pended", "in-progress"), [])
    assert journey.one("Provenance")["target"] == [{"reference": reference(question)}]
    assert any("it does not count before" in n["text"] for n in journey.task["note"])


def test_who_said_it_when_is_kept_with_where_it_comes_from() -> None:
    journey = due()
    says(journey, the_open(journey), "verbally-approved", *SAID)
    kept = journey.one("Provenance")
    assert kept["agent"][0]["who"] == {"display": "Ms. Ortiz, utilization review"}
    assert kept["occurredDateTime"] == "2026-11-22T09:30:00-06:00"
    assert kept["entity"][0]["what"] == {"reference": reference(journey.one("Claim"))}


@pytest.mark.parametrize("left_out", range(5))
def test_a_spoken_approval_without_number_period_who_or_when_is_not_taken(left_out: int) -> None:
    journey = due()
    terms = [t for n, t in enumerate(SAID) if n != left_out]
    taken = says(journey, the_open(journey), "verbally-approved", *terms).refusals == ()
    assert taken == (SAID[left_out] is UNITS)


@pytest.mark.parametrize(("action", "status"), [("A1", "approved"), ("A3", "denied")])
def test_the_letter_replaces_what_was_said(action: str, status: str) -> None:
    journey = due()
    says(journey, the_open(journey), "verbally-approved", *SAID)
    claim = journey.one("Claim")
    written: dict[str, Any] = claim_answer(claim, action, "ph5", units=1500)
    decided = journey.answered("preauthorization-answered", claim, written)
    assert journey.status[0] == status
    assert journey.outputs("number") == (["AUTH-1"] if action == "A1" else [])
    assert (open_questions(journey), "restriction" in journey.task) == ([], False)
    assert decided.wakes == {f"pended:{claim['id']}": None}
    assert len(journey.tasks("appeal")) == (action == "A3")


def test_a_letter_that_says_the_same_is_kept_as_the_payers_own() -> None:
    journey = due()
    says(journey, the_open(journey), "verbally-approved", {**NUMBER, "valueString": "AUTH-1"}, *SAID[1:])
    claim = journey.one("Claim")
    journey.answered("preauthorization-answered", claim, claim_answer(claim, "A1", "ph5", units=1500))
    assert "restriction" not in journey.task
    assert len(journey.of("ClaimResponse")) == 3
