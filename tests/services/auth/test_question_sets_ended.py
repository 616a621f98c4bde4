"""A question set that is refused, too large, run out, or held wrongly is a person's question, and never sent."""

from __future__ import annotations

from dataclasses import replace
from datetime import timedelta
from typing import Any

import pytest

from services.auth.pharmacy.sets import check_question_sets
from services.auth.service import declared
from services.auth.words import period_of, question_code
from shared.core import Resource, reference
from shared.fhir.json import decode, encode
from shared.messages import OPENED, PARTS, written
from shared.policy import PolicyError
from shared.settings import ROOT, SettingsError, load_site
from tests.services.auth.journey import Journey, claim_answer
from tests.services.auth.patient import NOW, TODAY, condition, referral
from tests.services.auth.pharmacy import (
    ELECTRONIC,
    FAXING,
    answers,
    asks,
    open_question,
    paid_by_pharmacy,
    questionnaire,
    replies,
)
from tests.services.auth.test_question_sets import received
from tests.services.auth.test_renewals import at, maintained, response, stands, woken

# What goes wrong


def nested(depth: int, kind: str) -> dict[str, Any]:
    """An item inside so many others of one kind."""
    item = asks("x", "string")
    for level in range(1, depth):
        item = {"linkId": f"g{level}", "text": "Group", "type": kind, "item": [item]}
    return item


def chained(length: int) -> list[dict[str, Any]]:
    def before(link: int) -> list[dict[str, Any]]:
        return [{"question": str(link), "operator": "exists", "answerBoolean": False}]

    return [asks("0", "string"), *(asks(str(i), "string", enableWhen=before(i - 1)) for i in range(1, length))]


@pytest.mark.parametrize("items", [chained(400), [nested(31, "group")], [nested(11, "string")]])
def test_a_set_past_every_bound_is_a_question_and_its_decision_can_be_read(items: list[dict[str, Any]]) -> None:
    decode(encode(questionnaire(*items)))
    journey = received(*items)
    assert open_question(journey, "question-set-unavailable")
    assert journey.of("Claim") == []
    _is_readable(journey)


def test_a_set_as_deep_as_may_be_is_answered_and_its_decision_can_be_read() -> None:
    journey = received(nested(10, "string"))
    said = [("x", "valueString", "a"), *((f"g{level}", "valueString", "a") for level in range(1, 10))]
    replies(journey, *said)
    assert len(answers(journey.one("QuestionnaireResponse"))) == 10
    _is_readable(journey)


def _is_readable(journey: Journey) -> None:
    """Whether what was decided last passes the gate of who hears of it."""
    decision = journey.decisions[-1]
    message = written("auth", "m1", decision, list(decision.saves), NOW)
    assert decode(encode(message), limit=OPENED, parts=PARTS)


def test_a_set_that_was_refused_is_a_question_and_can_be_asked_for_again() -> None:
    journey = paid_by_pharmacy(ELECTRONIC)
    first = journey.one("QuestionnaireResponse")
    wrong = {"resourceType": "OperationOutcome", "issue": [{"severity": "error", "code": "not-found",
             "details": {"text": "no such member"}}]}  # fmt: skip
    journey.answered("question-set-refused", first, wrong)
    question = open_question(journey, "question-set-unavailable")
    assert "no such member" in question["input"][0]["valueString"]
    journey.person(question, "resubmit")
    assert len(journey.of("QuestionnaireResponse")) == 2
    assert journey.status == ("investigating", "in-progress")


def test_a_second_set_for_the_same_answers_changes_nothing() -> None:
    journey = received(asks("1", "boolean"))
    response = journey.one("QuestionnaireResponse")
    again = questionnaire(asks("2", "boolean"))
    assert journey.answered("question-set-received", response, again).reason == "nothing-to-do"


@pytest.mark.parametrize(("days", "status"), [(-1, "stopped"), (0, "in-progress"), (1, "in-progress")])
def test_a_set_is_answered_until_its_last_day(days: int, status: str) -> None:
    last = (TODAY + timedelta(days=days)).isoformat()
    journey = received(asks("1", "boolean"), effectivePeriod={"end": last})
    assert journey.one("QuestionnaireResponse")["status"] == status


@pytest.mark.parametrize(
    ("end", "status"),
    [
        ("2025", "stopped"),
        ("2026", "in-progress"),
        ("2026-10", "stopped"),
        ("2026-11", "in-progress"),
        ("2026-11-21T02:00:00Z", "stopped"),
        ("2026-11-22T02:00:00Z", "in-progress"),
    ],
)
def test_a_set_ends_by_the_practices_clock_and_a_month_or_year_with_its_last_day(end: str, status: str) -> None:
    journey = received(asks("1", "boolean"), effectivePeriod={"end": end})
    assert journey.one("QuestionnaireResponse")["status"] == status


def test_a_set_that_ran_out_wakes_its_case_and_another_is_asked_for_by_a_person() -> None:
    journey = received(asks("1", "boolean"), effectivePeriod={"end": TODAY.isoformat()})
    (key,) = [k for k in journey.decisions[-1].wakes if k.startswith("question-set:")]
    asked = open_question(journey)
    assert asked["restriction"]["period"]["end"] == TODAY.isoformat()
    journey.at = journey.decisions[-1].wakes[key] or NOW
    journey.wakes(key)
    assert journey.one("QuestionnaireResponse")["status"] == "stopped"
    assert question_code(open_question(journey, "question-set-expired")) == "question-set-expired"
    assert journey.store.known[reference(asked)]["status"] == "cancelled"
    journey.person(open_question(journey, "question-set-expired"), "resubmit")
    assert [r["status"] for r in journey.of("QuestionnaireResponse")] == ["stopped", "in-progress"]


def test_an_order_taken_back_gives_the_answers_up() -> None:
    journey = paid_by_pharmacy(FAXING)
    order = next(r for r in referral() if r["resourceType"] == "ServiceRequest")
    journey.hears({**order, "status": "revoked"})
    assert journey.one("QuestionnaireResponse")["status"] == "stopped"
    assert journey.status == ("cancelled", "cancelled")


def test_another_drug_is_asked_about_by_another_set() -> None:
    journey = paid_by_pharmacy(ELECTRONIC)
    first = journey.one("QuestionnaireResponse")
    journey.hears(condition("other", "K50.90"))
    assert journey.one("QuestionnaireResponse")["id"] == first["id"]


# The configuration


def test_a_held_set_that_asks_in_a_way_nobody_can_answer_is_refused_at_the_start() -> None:
    figures = declared(FAXING).policy.figures.figures  # type: ignore[attr-defined]
    figure = next(f for f in figures if f.id == "question_set")
    with pytest.raises(PolicyError, match="question_set"):
        check_question_sets([replace(figure, value={"item": [{"linkId": "1", "type": "banana"}]})])
    unknown = {"question": "9", "operator": "exists", "answerBoolean": True}
    with pytest.raises(PolicyError):
        check_question_sets([replace(figure, value={"item": [asks("1", "boolean", enableWhen=[unknown])]})])


def test_a_pharmacy_benefit_nobody_knows_is_refused_at_the_start(tmp_path: Any) -> None:
    demo = (ROOT / "deploy/sites/demo.yaml").read_text()
    text = demo.replace("pharmacy_benefit: prairie-rx", "pharmacy_benefit: nobody")
    (tmp_path / "site.yaml").write_text(text)
    with pytest.raises(SettingsError, match="nobody"):
        load_site(tmp_path / "site.yaml", partners_url="http://p.test", base_url="http://b.test")


# A later period


def renewed(*, again: bool) -> Journey:
    """Approved for ninety days; who decides the pharmacy benefit has refused, or sent, the set of the renewal."""
    journey = paid_by_pharmacy(ELECTRONIC, *maintained())
    journey.answered("question-set-received", journey.one("QuestionnaireResponse"), questionnaire(asks("1", "string")))
    replies(journey, ("1", "valueString", "a"))
    claim = journey.one("Claim")
    journey.answered("preauthorization-answered", claim, claim_answer(claim, days=90))
    at(journey, 33).hears(response(33))
    woken(journey, 34)
    asked = the_waiting(journey)
    refusal = {"resourceType": "OperationOutcome", "issue": [{"severity": "error", "code": "not-found"}]}
    journey.answered("question-set-refused", asked, refusal)
    if again:
        journey.person(open_question(journey, "question-set-unavailable"), "resubmit")
    return journey


def the_waiting(journey: Journey) -> Resource:
    (found,) = (r for r in journey.of("QuestionnaireResponse") if r["status"] == "in-progress")
    return found


def test_a_set_asked_for_again_for_a_renewal_is_the_renewals() -> None:
    journey = renewed(again=True)
    assert [period_of(r) for r in journey.of("QuestionnaireResponse")].count(2) == 2
    assert journey.status == ("approved", "completed")
    journey.answered("question-set-received", the_waiting(journey), questionnaire(asks("2", "string")))
    replies(journey, ("2", "valueString", "b"))
    assert sorted((period_of(c), c["status"]) for c in journey.of("Claim")) == [(1, "active"), (2, "active")]


def test_a_renewal_whose_set_is_refused_leaves_the_first_period_as_it_is() -> None:
    journey = renewed(again=False)
    assert (journey.status, stands(journey)[0]) == (("approved", "completed"), "question")


def test_a_renewal_sent_without_its_set_asks_the_first_period_nothing() -> None:
    journey = renewed(again=False)
    journey.person(open_question(journey, "question-set-unavailable"), "submit")
    assert sorted((period_of(c), c["status"]) for c in journey.of("Claim")) == [(1, "active"), (2, "active")]
    assert journey.status == ("approved", "completed")
